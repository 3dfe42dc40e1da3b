/** Watches suggestions come and go, and tells the server what became of them. */

import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';
import { ShownText } from './shown.js';

/** A notification to send to the server. */
export interface Notice {
  readonly method: string;
  readonly params: object;
}

export type Provide = NonNullable<Middleware['provideInlineCompletionItems']>;

interface Watched {
  readonly uri: string;
  /** An item's command names it; its text, the user's code, is left out. */
  readonly item: { readonly command: vscode.Command };
  readonly shown: ShownText;
}

export class CompletionWatch implements vscode.Disposable {
  readonly #notices = new vscode.EventEmitter<Notice>();
  readonly #subscription = vscode.workspace.onDidChangeTextDocument((event) => {
    this.#onChange(event);
  });
  #watched: Watched | undefined;

  readonly onNotice = this.#notices.event;

  /** Middleware: passes everything on untouched. */
  readonly provide: Provide = async (document, position, context, token, next) => {
    const result = await next(document, position, context, token);
    const item = Array.isArray(result) ? result[0] : result?.items[0];
    if (item !== undefined && !token.isCancellationRequested) {
      this.#onAnswer(document, position, item, context.selectedCompletionInfo?.text.length ?? 0);
    }
    return result;
  };

  dispose(): void {
    this.#subscription.dispose();
    this.#notices.dispose();
  }

  /** "Answered and still wanted" is as much as an extension can know of being shown. */
  #onAnswer(
    document: vscode.TextDocument,
    position: vscode.Position,
    item: vscode.InlineCompletionItem,
    menuLength: number,
  ): void {
    const { insertText, command, range } = item;
    if (command === undefined || typeof insertText !== 'string') {
      return;
    }
    const typed = range === undefined ? '' : document.getText(new vscode.Range(range.start, position));
    const typedLength = insertText.startsWith(typed) ? typed.length : 0;
    this.#watched = {
      uri: document.uri.toString(),
      item: { command },
      shown: new ShownText(insertText, typedLength, document.offsetAt(position), menuLength),
    };
    this.#notices.fire({ method: 'textDocument/didShowCompletion', params: { item: this.#watched.item } });
  }

  #onChange({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    const watched = this.#watched;
    const [change] = contentChanges;
    if (watched === undefined || change === undefined || document.uri.toString() !== watched.uri) {
      return;
    }
    const outcome = watched.shown.apply({
      offset: change.rangeOffset,
      removedLength: change.rangeLength,
      inserted: change.text,
    });
    if (outcome.kind === 'taken') {
      const params = { item: watched.item, acceptedLength: outcome.length };
      this.#notices.fire({ method: 'textDocument/didPartiallyAcceptCompletion', params });
    } else if (outcome.kind === 'left' || contentChanges.length > 1) {
      this.#watched = undefined;
    }
  }
}
