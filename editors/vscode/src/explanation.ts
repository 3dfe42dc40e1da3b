/** "Why this suggestion": what the model sees at the cursor, as the server explains it, in an editor of its own. */

import * as vscode from 'vscode';
import { Failure } from './failure.js';
import type { Session } from './session.js';

/** Throws a Failure when no text is open, or the server cannot say. */
export async function explainHere(session: Session): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    throw new Failure('No text is open.', 'Put the cursor where the suggestion came.');
  }
  const { line, character } = editor.selection.active;
  const uri = editor.document.uri.toString();
  const explained = await session.call('fimble.explain', { uri, position: { line, character } });
  const content = pageOf(explained);
  const page = await vscode.workspace.openTextDocument({ language: 'markdown', content });
  await vscode.window.showTextDocument(page, { viewColumn: vscode.ViewColumn.Beside, preview: true });
}

/** The page in the server's answer. Throws a Failure where there is none: the server is an older one. */
export function pageOf(explained: unknown): string {
  if (typeof explained === 'object' && explained !== null && 'markdown' in explained) {
    if (typeof explained.markdown === 'string') {
      return explained.markdown;
    }
  }
  throw new Failure('The fimble server explained nothing.', 'Update it with "fimble: Install or Repair Server".');
}
