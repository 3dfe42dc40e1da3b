/** Choosing a model among those the server's catalog knows, and fetching it. */

import * as vscode from 'vscode';
import { Failure } from './failure.js';
import { runProgram, type ProgramParts } from './program.js';
import type { Session } from './session.js';
import { setModel } from './settings.js';

interface ModelParts extends ProgramParts {
  readonly session: Session;
}

/** A row of `fimble models list --json`, as far as it is used here. */
export interface Model {
  readonly id: string;
  readonly size_bytes?: number | null;
  readonly description: string;
  readonly installed: boolean;
  /** Whether fimble knows the file's checksum, and fetches it by itself. */
  readonly verified: boolean;
  /** Whether this machine has the memory; missing for imported ones. */
  readonly fit?: string;
}

interface Choice extends vscode.QuickPickItem {
  readonly model?: string;
}

const OWN_FILE: Choice = { label: '$(folder-opened) A GGUF file on this machine…' };

/** Lets the user pick one; the server then offers to fetch it when it is not here yet. */
export async function chooseModel(parts: ModelParts): Promise<void> {
  const { code, stdout, output } = await runProgram(parts, ['models', 'list', '--json']);
  if (code !== 0) {
    throw new Failure(`The models could not be listed: ${output}`);
  }
  const chosen = await vscode.window.showQuickPick<Choice>([...modelChoices(stdout), OWN_FILE], {
    title: 'fimble: Choose Model',
    placeHolder: 'For all windows on this machine',
    matchOnDetail: true,
  });
  const model = chosen === OWN_FILE ? await pickFile() : chosen?.model;
  if (model !== undefined) {
    await setModel(model);
  }
}

/** Fetches the configured model now. Progress is the server's own. */
export async function downloadModel({ session }: ModelParts): Promise<void> {
  await session.call('fimble.download');
}

/**
 * What can be used from here: models on this machine, and those fimble fetches by itself.
 * Throws a Failure when `json` is not what `fimble models list --json` prints.
 */
export function modelChoices(json: string): Choice[] {
  let models: Model[];
  try {
    models = JSON.parse(json) as Model[];
    return models.filter((model) => model.installed || model.verified).map(toChoice);
  } catch {
    throw new Failure('The server listed its models in a form that this extension does not know.', 'Update both.');
  }
}

function toChoice(model: Model): Choice {
  const size = typeof model.size_bytes === 'number' ? `${(model.size_bytes / 1e9).toFixed(1)} GB` : '';
  const place = model.installed ? 'on this machine' : 'to be downloaded';
  const warning = model.fit === 'too_large' ? 'more memory than this machine has' : '';
  return {
    label: model.id,
    description: [size, place, warning].filter((part) => part !== '').join(', '),
    detail: model.description,
    model: model.id,
  };
}

async function pickFile(): Promise<string | undefined> {
  const [file] = (await vscode.window.showOpenDialog({ filters: { GGUF: ['gguf'] }, openLabel: 'Use' })) ?? [];
  return file?.fsPath;
}
