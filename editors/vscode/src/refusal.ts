/** Remembers that the user did not want the server: they are not asked at every start. */

import type * as vscode from 'vscode';
import type { Lifecycle } from './status.js';

const DECLINED_KEY = 'serverDeclined';

export class Refusal {
  readonly #memory: vscode.Memento;

  /** `memory` outlives the window. */
  constructor(memory: vscode.Memento) {
    this.#memory = memory;
  }

  get stands(): boolean {
    return this.#memory.get<boolean>(DECLINED_KEY, false);
  }

  /** The user was asked, and there is no server all the same. */
  async take(): Promise<void> {
    await this.#memory.update(DECLINED_KEY, true);
  }

  /** Whoever runs a server has come to want one: an update of the extension that leaves them without may ask again. */
  async follow(lifecycle: Lifecycle): Promise<void> {
    if (lifecycle.kind === 'running' && this.stands) {
      await this.#memory.update(DECLINED_KEY, false);
    }
  }
}
