/** Expected failures, for people: what happened and what to do about it. */

export class Failure extends Error {
  constructor(
    message: string,
    readonly mend = '',
  ) {
    super(message);
    this.name = 'Failure';
  }

  /** Both parts in one line, as a notification shows them. */
  get sentence(): string {
    return this.mend === '' ? this.message : `${this.message} ${this.mend}`;
  }
}

/** Any thrown thing as a Failure; a language server's error brings its mend in `data.mend`. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) {
    return error;
  }
  if (!(error instanceof Error)) {
    return new Failure(String(error));
  }
  const data: unknown = 'data' in error ? error.data : undefined;
  const mend = typeof data === 'object' && data !== null && 'mend' in data ? data.mend : '';
  return new Failure(error.message, typeof mend === 'string' ? mend : '');
}
