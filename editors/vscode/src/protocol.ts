/** What fimble's server says beyond LSP (docs/editors.md, "Protocol beyond LSP"), read from untyped JSON. */

export const STATUS_METHOD = 'fimble/status';

const STATES = ['starting', 'downloading', 'ready', 'busy', 'paused', 'error'] as const;
const OFF_REASONS = ['global', 'language', 'file', 'excluded', 'too_large'] as const;

export type ServerState = (typeof STATES)[number];
export type OffReason = (typeof OFF_REASONS)[number];

export interface Status {
  readonly state: ServerState;
  readonly message: string;
  readonly percent?: number;
  readonly mend?: string;
  readonly model?: string;
}

/** The same for one document; `off` says why it gets no completions. */
export interface DocumentStatus extends Status {
  readonly enabled: boolean;
  readonly off?: OffReason;
  /** Language ids that the settings switch off, wherever the server has them from; older servers do not say. */
  readonly disabledLanguages?: readonly string[];
}

/** Undefined when `value` is no status: a newer server may know states that this client does not. */
export function readStatus(value: unknown): Status | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const state = STATES.find((known) => known === value.state);
  if (state === undefined) {
    return undefined;
  }
  return {
    state,
    message: typeof value.message === 'string' ? value.message : '',
    ...(typeof value.percent === 'number' ? { percent: value.percent } : {}),
    ...(typeof value.mend === 'string' ? { mend: value.mend } : {}),
    ...(typeof value.model === 'string' ? { model: value.model } : {}),
  };
}

/** Undefined when `value` is no document status. */
export function readDocumentStatus(value: unknown): DocumentStatus | undefined {
  const status = readStatus(value);
  if (status === undefined || !isRecord(value) || typeof value.enabled !== 'boolean') {
    return undefined;
  }
  const off = OFF_REASONS.find((known) => known === value.off);
  return {
    ...status,
    enabled: value.enabled,
    ...(off === undefined ? {} : { off }),
    ...(isStrings(value.disabledLanguages) ? { disabledLanguages: value.disabledLanguages } : {}),
  };
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
