/** What the status bar says in each state. Pure: the item itself is in statusBar.ts. */

import type { Failure } from './failure.js';
import type { DocumentStatus, OffReason, Status } from './protocol.js';

/** How many of today's suggestions that were seen were taken. */
export interface Acceptance {
  readonly shown: number;
  readonly accepted: number;
}

/** Where the server is in its life, as this client sees it. */
export type Lifecycle =
  | { readonly kind: 'absent' }
  | { readonly kind: 'installing'; readonly step: string }
  | { readonly kind: 'starting' }
  | { readonly kind: 'restarting'; readonly reason: string }
  | { readonly kind: 'stopped'; readonly failure: Failure }
  | { readonly kind: 'running'; readonly status: Status };

/** Whether completions can be had. */
export function isReady(lifecycle: Lifecycle): boolean {
  return lifecycle.kind === 'running' && ['ready', 'busy'].includes(lifecycle.status.state);
}

export interface Presentation {
  readonly icon: string;
  /** What follows "fimble" in the bar; empty when all is well. */
  readonly suffix: string;
  readonly severity: 'plain' | 'warning' | 'error';
  /** One word for the state; screen readers and tests find the item by it. */
  readonly word: string;
  readonly sentence: string;
  readonly mend: string;
}

const OFF_SENTENCES: Record<OffReason, string> = {
  global: 'Completions are off.',
  language: 'Completions are off for this language.',
  file: 'Completions are off for this file.',
  excluded: 'This file is excluded from completions.',
  too_large: 'This file is too large for completions.',
};

/** `document` is the active editor's status, `today` what was accepted, where they are known. */
export function present(lifecycle: Lifecycle, document?: DocumentStatus, today?: Acceptance): Presentation {
  switch (lifecycle.kind) {
    case 'absent':
      return plain('cloud-download', ': not installed', 'not installed', 'The server is not installed yet.');
    case 'installing':
      return plain('loading~spin', ': installing', 'installing', lifecycle.step);
    case 'starting':
      return plain('loading~spin', ': starting', 'starting', 'The server is starting.');
    case 'restarting':
      return { ...plain('warning', ': restarting', 'restarting', lifecycle.reason), severity: 'warning' };
    case 'stopped':
      return {
        ...plain('error', ': stopped', 'stopped', lifecycle.failure.message),
        severity: 'error',
        mend: lifecycle.failure.mend,
      };
    case 'running':
      return presentRunning(lifecycle.status, document, today);
  }
}

function presentRunning(
  status: Status,
  document: DocumentStatus | undefined,
  today: Acceptance | undefined,
): Presentation {
  switch (status.state) {
    case 'starting':
      return plain('loading~spin', ': starting', 'starting', status.message);
    case 'downloading': {
      const share = status.percent === undefined ? '' : ` ${Math.floor(status.percent)}%`;
      return plain('cloud-download', `: downloading${share}`, 'downloading', status.message);
    }
    case 'paused':
      return plain('circle-slash', ': off', 'off', status.message || OFF_SENTENCES.global);
    case 'error':
      return { ...plain('error', ': error', 'error', status.message), severity: 'error', mend: status.mend ?? '' };
    case 'ready':
    case 'busy':
      if (document?.enabled === false) {
        return plain('circle-slash', ': off here', 'off here', OFF_SENTENCES[document.off ?? 'global']);
      }
      return plain(
        status.state === 'busy' ? 'sync~spin' : 'sparkle',
        today === undefined ? '' : acceptanceSuffix(today),
        status.state,
        status.message,
      );
  }
}

function acceptanceSuffix({ shown, accepted }: Acceptance): string {
  return shown === 0 ? '' : ` ${Math.round((100 * accepted) / shown)}%`;
}

/** Today's acceptance for the tooltip; empty when nothing is known of it. */
export function acceptanceSentence(acceptance: Acceptance | undefined): string {
  if (acceptance === undefined || acceptance.shown === 0) {
    return '';
  }
  return `Today: ${acceptance.accepted} of ${acceptance.shown} suggestions accepted.`;
}

function plain(icon: string, suffix: string, word: string, sentence: string): Presentation {
  return { icon, suffix, severity: 'plain', word, sentence, mend: '' };
}
