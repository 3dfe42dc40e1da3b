/** The status bar item: shows what status.ts says, opens the menu. */

import * as vscode from 'vscode';
import type { DocumentStatus } from './protocol.js';
import { acceptanceSentence, present, type Acceptance, type Lifecycle } from './status.js';

export class StatusBar implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem('fimble.status', vscode.StatusBarAlignment.Right, 100);
  #lifecycle: Lifecycle = { kind: 'starting' };
  #document: DocumentStatus | undefined;
  #today: Acceptance | undefined;

  constructor() {
    this.#item.name = 'fimble';
    this.#item.command = 'fimble.menu';
    this.#render();
    this.#item.show();
  }

  setLifecycle(lifecycle: Lifecycle): void {
    this.#lifecycle = lifecycle;
    this.#render();
  }

  /** The active editor's own status; undefined when there is none. */
  setDocument(document: DocumentStatus | undefined): void {
    this.#document = document;
    this.#render();
  }

  setToday(acceptance: Acceptance): void {
    this.#today = acceptance;
    this.#render();
  }

  dispose(): void {
    this.#item.dispose();
  }

  #render(): void {
    const shown = present(this.#lifecycle, this.#document, this.#today);
    const status = this.#lifecycle.kind === 'running' ? this.#lifecycle.status : undefined;
    const lines = [
      shown.sentence,
      shown.mend,
      status?.model === undefined ? '' : `Model: ${status.model}`,
      acceptanceSentence(this.#today),
    ].filter((line) => line !== '');
    this.#item.text = `$(${shown.icon}) fimble${shown.suffix}`;
    this.#item.tooltip = lines.join('\n');
    this.#item.accessibilityInformation = { label: `fimble status: ${shown.word}. ${lines.join(' ')}` };
    this.#item.backgroundColor =
      shown.severity === 'plain' ? undefined : new vscode.ThemeColor(`statusBarItem.${shown.severity}Background`);
  }
}
