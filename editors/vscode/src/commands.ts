/** Every command of the palette. The work is done elsewhere; here failures become messages. */

import * as vscode from 'vscode';
import { examine } from './doctor.js';
import type { DocumentStatusWatcher } from './documentStatus.js';
import { explainHere } from './explanation.js';
import { Failure, asFailure } from './failure.js';
import { showMenu } from './menu.js';
import { chooseModel, downloadModel } from './models.js';
import type { Provision } from './provision.js';
import type { Session } from './session.js';
import { setEnabled, setLanguageEnabled } from './settings.js';
import { showStatistics, type AcceptanceWatch } from './statistics.js';
import { present } from './status.js';

export interface Parts {
  readonly session: Session;
  readonly provision: Provision;
  readonly documents: DocumentStatusWatcher;
  readonly today: AcceptanceWatch;
  readonly storage: string;
  readonly output: vscode.LogOutputChannel;
}

export function registerCommands(parts: Parts): vscode.Disposable[] {
  const { session, documents, today, output } = parts;
  const commands: Record<string, () => Promise<unknown>> = {
    'fimble.menu': () => {
      void today.refresh();
      return showMenu(session.lifecycle, () => documents.refresh());
    },
    'fimble.enable': () => setEnabled(true),
    'fimble.disable': () => setEnabled(false),
    'fimble.enableForLanguage': () => setLanguageEnabled(activeDocument().languageId, true, documents),
    'fimble.disableForLanguage': () => setLanguageEnabled(activeDocument().languageId, false, documents),
    'fimble.enableForFile': () => documents.setFileEnabled(activeFile(), true),
    'fimble.disableForFile': () => documents.setFileEnabled(activeFile(), false),
    'fimble.trigger': () => trigger(session),
    'fimble.explain': () => explainHere(session),
    'fimble.chooseModel': () => chooseModel(parts),
    'fimble.downloadModel': () => downloadModel(parts),
    'fimble.showStatistics': () => showStatistics(parts),
    'fimble.restart': () => session.restart(),
    'fimble.installServer': () => install(parts),
    'fimble.doctor': () => examine(parts),
    'fimble.showOutput': () => {
      output.show();
      return Promise.resolve();
    },
  };
  return Object.entries(commands).map(([name, work]) =>
    vscode.commands.registerCommand(name, async () => {
      try {
        await work();
      } catch (error) {
        const failure = asFailure(error);
        output.error(failure.sentence);
        void vscode.window.showErrorMessage(failure.sentence);
      }
    }),
  );
}

/** Without a server the editor would ask nobody, and say nothing. */
async function trigger({ lifecycle }: Session): Promise<void> {
  if (lifecycle.kind !== 'running') {
    const { sentence, mend } = present(lifecycle);
    throw new Failure(sentence, mend);
  }
  await run('editor.action.inlineSuggest.trigger');
}

async function install({ session, provision }: Parts): Promise<void> {
  const choice = await provision.offer();
  if (choice === 'settings') {
    await run('workbench.action.openSettings', 'fimble.server');
  }
  if (choice !== 'install') {
    return;
  }
  await session.stop();
  try {
    await provision.install((step) => {
      session.show({ kind: 'installing', step });
    });
  } catch (error) {
    session.show({ kind: 'stopped', failure: asFailure(error) });
    throw error;
  }
  await session.restart();
}

function activeDocument(): vscode.TextDocument {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    throw new Failure('No file is open.', 'Open one, then run the command again.');
  }
  return editor.document;
}

/** A cell is of its notebook's file; its own URI may be another one when the notebook is opened again. */
function activeFile(): vscode.Uri {
  const { uri } = activeDocument();
  const notebook = vscode.workspace.notebookDocuments.find((candidate) =>
    candidate.getCells().some((cell) => cell.document.uri.toString() === uri.toString()),
  );
  return notebook?.uri ?? uri;
}

async function run(command: string, ...args: unknown[]): Promise<void> {
  await vscode.commands.executeCommand(command, ...args);
}
