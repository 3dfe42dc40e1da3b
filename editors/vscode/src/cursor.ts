/** Tells the server where the cursor rests, so that the model reads ahead there. */

import * as vscode from 'vscode';
import { isServed } from './client.js';
import type { Notice } from './completion.js';

const RESTED_MS = 200;

/** Watches the active editor. */
export class CursorWatch implements vscode.Disposable {
  readonly #notices = new vscode.EventEmitter<Notice>();
  readonly #subscriptions: vscode.Disposable[];
  #timer: NodeJS.Timeout | undefined;

  readonly onNotice = this.#notices.event;

  constructor() {
    this.#subscriptions = [
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.tell();
      }),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
        clearTimeout(this.#timer);
        if (textEditor === vscode.window.activeTextEditor) {
          this.#timer = setTimeout(() => {
            this.tell();
          }, RESTED_MS);
        }
      }),
    ];
  }

  /** Tells at once: the editor was just entered, or the server just came. */
  tell(): void {
    clearTimeout(this.#timer);
    const editor = vscode.window.activeTextEditor;
    if (editor !== undefined && editor.selection.isEmpty && isServed(editor.document)) {
      const { line, character } = editor.selection.active;
      this.#notices.fire({
        method: 'fimble/didMoveCursor',
        params: { textDocument: { uri: editor.document.uri.toString() }, position: { line, character } },
      });
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#notices.dispose();
    this.#subscriptions.forEach((subscription) => void subscription.dispose());
  }
}
