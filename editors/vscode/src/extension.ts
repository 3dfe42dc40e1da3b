/** Entry point for VS Code: wires the parts together. */

import { mkdir } from 'node:fs/promises';
import * as vscode from 'vscode';
import { registerCommands } from './commands.js';
import { CompletionWatch } from './completion.js';
import { CursorWatch } from './cursor.js';
import { DocumentStatusWatcher } from './documentStatus.js';
import { Provision } from './provision.js';
import { Refusal } from './refusal.js';
import { Session } from './session.js';
import { AcceptanceWatch } from './statistics.js';
import { StatusBar } from './statusBar.js';

let session: Session | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel('fimble', { log: true });
  const storage = context.globalStorageUri.fsPath;
  await mkdir(storage, { recursive: true });
  const completions = new CompletionWatch();
  const cursor = new CursorWatch();
  const provision = new Provision(context, output);
  const current = new Session({
    output,
    storage,
    locate: () => provision.locate(),
    provide: completions.provide,
  });
  session = current;
  const bar = new StatusBar();
  const refusal = new Refusal(context.globalState);
  const documents = new DocumentStatusWatcher(current, context.workspaceState, (status) => {
    bar.setDocument(status);
  });
  const today = new AcceptanceWatch({ provision, storage });
  context.subscriptions.push(
    output,
    provision,
    current,
    completions,
    cursor,
    bar,
    documents,
    today,
    today.onChange((acceptance) => {
      bar.setToday(acceptance);
    }),
    current.onChange((lifecycle) => {
      bar.setLifecycle(lifecycle);
      void refusal.follow(lifecycle);
    }),
    current.onReady(() => {
      cursor.tell();
      void today.refresh();
    }),
    completions.onNotice((notice) => {
      current.notify(notice);
      today.refreshSoon();
    }),
    cursor.onNotice((notice) => {
      current.notify(notice);
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('fimble.server')) {
        void current.restart();
      }
    }),
    ...registerCommands({ session: current, provision, documents, today, storage, output }),
  );
  void start(current, refusal);
}

export function deactivate(): Promise<void> | undefined {
  return session?.stop();
}

async function start(current: Session, refusal: Refusal): Promise<void> {
  const isAbsent = (): boolean => current.lifecycle.kind === 'absent';
  await current.restart();
  if (isAbsent() && !refusal.stands) {
    await vscode.commands.executeCommand('fimble.installServer');
    if (isAbsent()) {
      await refusal.take();
    }
  }
}
