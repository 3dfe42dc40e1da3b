/** Asks the server whether the active editor's document gets completions, and keeps files turned off. */

import * as vscode from 'vscode';
import { isServed } from './client.js';
import { readDocumentStatus, type DocumentStatus } from './protocol.js';
import type { Session } from './session.js';
import { isReady, type Lifecycle } from './status.js';

const FILES_OFF_KEY = 'filesOff';
/** The server takes settings in after it was told them. */
const TAKE_IN_MS = 200;

export class DocumentStatusWatcher implements vscode.Disposable {
  readonly #session: Session;
  readonly #memory: vscode.Memento;
  readonly #onStatus: (status: DocumentStatus | undefined) => void;
  readonly #subscriptions: vscode.Disposable[];
  #phase = '';
  #generation = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `memory` outlives the window: a file turned off stays off in this workspace. */
  constructor(session: Session, memory: vscode.Memento, onStatus: (status: DocumentStatus | undefined) => void) {
    this.#session = session;
    this.#memory = memory;
    this.#onStatus = onStatus;
    this.#subscriptions = [
      vscode.window.onDidChangeActiveTextEditor(() => void this.refresh()),
      session.onSettingsTold(() => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => void this.refresh(), TAKE_IN_MS);
      }),
      session.onChange((lifecycle) => {
        const wasRunning = this.#phase !== '';
        const phase = phaseOf(lifecycle);
        if (phase === this.#phase) {
          return;
        }
        this.#phase = phase;
        if (phase !== '' && !wasRunning) {
          void this.#tellFilesOff().then(() => this.refresh());
        } else {
          void this.refresh();
        }
      }),
    ];
  }

  /** Turns completions on or off for one file, now and at later starts. */
  async setFileEnabled(uri: vscode.Uri, enabled: boolean): Promise<void> {
    const name = uri.toString();
    const others = this.#filesOff().filter((other) => other !== name);
    await this.#memory.update(FILES_OFF_KEY, enabled ? others : [...others, name]);
    await this.#session.call(enabled ? 'fimble.enable' : 'fimble.disable', { scope: 'file', uri: name });
    await this.refresh();
  }

  /** Asks again; after a change of settings, the server may see the document differently. */
  async refresh(): Promise<DocumentStatus | undefined> {
    const generation = ++this.#generation;
    const document = vscode.window.activeTextEditor?.document;
    const status = document !== undefined && isServed(document) ? await this.#ask(document.uri.toString()) : undefined;
    if (generation === this.#generation) {
      this.#onStatus(status);
    }
    return status;
  }

  /** Languages that are off by the server's settings. Throws a Failure when the server cannot be asked. */
  async disabledLanguages(): Promise<readonly string[]> {
    return readDocumentStatus(await this.#session.call('fimble.status', {}))?.disabledLanguages ?? [];
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#subscriptions.forEach((subscription) => void subscription.dispose());
  }

  async #ask(uri: string): Promise<DocumentStatus | undefined> {
    try {
      return readDocumentStatus(await this.#session.call('fimble.status', { uri }));
    } catch {
      return undefined; // The lifecycle says what is wrong with the server.
    }
  }

  async #tellFilesOff(): Promise<void> {
    for (const uri of this.#filesOff()) {
      await this.#session.call('fimble.disable', { scope: 'file', uri }).catch(() => undefined);
    }
  }

  #filesOff(): string[] {
    return this.#memory.get<string[]>(FILES_OFF_KEY, []);
  }
}

/** Changes when a document's status may have: not with every completion. Empty while there is no server. */
function phaseOf(lifecycle: Lifecycle): string {
  if (lifecycle.kind !== 'running') {
    return '';
  }
  return isReady(lifecycle) ? 'ready' : lifecycle.status.state;
}
