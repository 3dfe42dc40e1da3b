/** What a click on the status bar item offers, by the state things are in. */

import * as vscode from 'vscode';
import type { DocumentStatus } from './protocol.js';
import { present, type Lifecycle } from './status.js';

interface Entry extends vscode.QuickPickItem {
  readonly command?: string;
  readonly argument?: string;
}

/** Shows the menu and runs what is chosen. */
export async function showMenu(
  lifecycle: Lifecycle,
  ask: () => Promise<DocumentStatus | undefined>,
): Promise<void> {
  const document = await ask();
  const { sentence, mend } = present(lifecycle, document);
  const languageId = vscode.window.activeTextEditor?.document.languageId;
  const chosen = await vscode.window.showQuickPick(entries(lifecycle, document, languageId), {
    title: 'fimble',
    placeHolder: [sentence, mend].filter((part) => part !== '').join(' '),
  });
  if (chosen?.command !== undefined) {
    await vscode.commands.executeCommand(chosen.command, ...(chosen.argument === undefined ? [] : [chosen.argument]));
  }
}

/** Pure: the entries for a state. */
export function entries(
  lifecycle: Lifecycle,
  document: DocumentStatus | undefined,
  languageId: string | undefined,
): Entry[] {
  const isRunning = lifecycle.kind === 'running';
  const isOff = (reason: DocumentStatus['off']): boolean => document?.off === reason;
  const isPaused = isRunning && lifecycle.status.state === 'paused';
  const switches: Entry[] = [];
  if (isRunning) {
    switches.push(
      isPaused
        ? { label: '$(play) Turn completions on', command: 'fimble.enable' }
        : { label: '$(circle-slash) Turn completions off', command: 'fimble.disable' },
    );
  }
  if (isRunning && !isPaused && document !== undefined && languageId !== undefined) {
    switches.push(
      isOff('language')
        ? { label: `$(play) Turn completions on for ${languageId}`, command: 'fimble.enableForLanguage' }
        : { label: `$(circle-slash) Turn completions off for ${languageId}`, command: 'fimble.disableForLanguage' },
      isOff('file')
        ? { label: '$(play) Turn completions on for this file', command: 'fimble.enableForFile' }
        : { label: '$(circle-slash) Turn completions off for this file', command: 'fimble.disableForFile' },
    );
  }
  const model: Entry[] = isRunning
    ? [
        { label: '$(chip) Choose model…', command: 'fimble.chooseModel' },
        ...(lifecycle.status.state === 'error'
          ? [{ label: '$(cloud-download) Download the chosen model', command: 'fimble.downloadModel' }]
          : []),
      ]
    : [];
  return [
    ...switches,
    ...model,
    ...(lifecycle.kind === 'absent'
      ? [{ label: '$(cloud-download) Install server…', command: 'fimble.installServer' }]
      : [{ label: '$(debug-restart) Restart server', command: 'fimble.restart' }]),
    { label: '$(graph) Show statistics', command: 'fimble.showStatistics' },
    { label: '$(pulse) Examine this installation', command: 'fimble.doctor' },
    { label: '$(output) Show output', command: 'fimble.showOutput' },
    { label: '$(gear) Settings', command: 'workbench.action.openSettings', argument: '@ext:fimble.fimble' },
  ];
}
