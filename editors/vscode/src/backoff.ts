/** When to start a server again that ended by itself. Knows nothing of processes or clocks. */

const DELAYS_MS = [500, 1_000, 2_000, 5_000];
const FORGET_AFTER_MS = 180_000;

export class Backoff {
  #endedAtMs: number[] = [];

  /** Milliseconds to wait before the next start; undefined when it ended too often within three minutes. */
  next(nowMs: number): number | undefined {
    this.#endedAtMs = this.#endedAtMs.filter((atMs) => nowMs - atMs < FORGET_AFTER_MS);
    const delayMs = DELAYS_MS[this.#endedAtMs.length];
    this.#endedAtMs.push(nowMs);
    return delayMs;
  }

  /** Forget all ends: the user asked for a new start. */
  reset(): void {
    this.#endedAtMs = [];
  }
}
