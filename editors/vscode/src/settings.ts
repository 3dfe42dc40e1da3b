/** VS Code's settings: which ones the server hears of, and how commands change them. */

import * as vscode from 'vscode';

/** Parts of section `fimble` that are this client's own. */
const CLIENT_SECTIONS = ['server', 'trace'];

type Json = { [key: string]: Json } | string | number | boolean | null | Json[];

/**
 * What the user set, by dotted key below `fimble`. Defaults are left out: sent along, they would overrule the
 * user's configuration file and environment on the server's side.
 */
export function explicitSettings(scope?: vscode.ConfigurationScope): Record<string, Json> {
  const config = vscode.workspace.getConfiguration('fimble', scope ?? null);
  const all: Json = vscode.workspace.getConfiguration(undefined, scope ?? null).get<Json>('fimble') ?? {};
  const explicit: Record<string, Json> = {};
  for (const [key, value] of leaves(all)) {
    const isOurs = CLIENT_SECTIONS.includes(key.split('.', 1)[0] ?? '');
    if (!isOurs && isExplicit(config.inspect(key))) {
      explicit[key] = value;
    }
  }
  return explicit;
}

/** A machine-wide text setting of this client; empty when unset. */
export function serverSetting(name: 'path' | 'address' | 'python' | 'package'): string {
  return vscode.workspace.getConfiguration('fimble.server').get<string>(name, '').trim();
}

/** Turn completions on or off where the user has said so most specifically: in the workspace, else everywhere. */
export async function setEnabled(enabled: boolean): Promise<void> {
  await update('completion.enabled', enabled);
}

/**
 * Turn completions on or off for one language id. A list that is set here holds in place of the configuration file's,
 * so the first one begins as what the server has from there.
 */
export async function setLanguageEnabled(
  languageId: string,
  enabled: boolean,
  server: { disabledLanguages(): Promise<readonly string[]> },
): Promise<void> {
  const key = 'completion.disabled_languages';
  const config = vscode.workspace.getConfiguration('fimble');
  const before = isExplicit(config.inspect(key))
    ? languageList(config.get<string>(key, ''))
    : await server.disabledLanguages();
  const others = before.filter((id) => id !== languageId);
  await update(key, (enabled ? others : [...others, languageId]).join(','));
}

/** Choose the model for all workspaces of this machine. */
export async function setModel(modelId: string): Promise<void> {
  await update('model.id', modelId);
}

/** Language ids of a comma-separated list. */
export function languageList(text: string): string[] {
  return text
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');
}

async function update(key: string, value: string | boolean): Promise<void> {
  const config = vscode.workspace.getConfiguration('fimble');
  const target =
    config.inspect(key)?.workspaceValue === undefined
      ? vscode.ConfigurationTarget.Global
      : vscode.ConfigurationTarget.Workspace;
  await config.update(key, value, target);
}

type Inspected = ReturnType<vscode.WorkspaceConfiguration['inspect']>;

function isExplicit(inspected: Inspected): boolean {
  return (
    inspected !== undefined &&
    [
      inspected.globalValue,
      inspected.workspaceValue,
      inspected.workspaceFolderValue,
      inspected.globalLanguageValue,
      inspected.workspaceLanguageValue,
      inspected.workspaceFolderLanguageValue,
    ].some((value) => value !== undefined)
  );
}

function* leaves(value: Json, path: readonly string[] = []): Generator<[string, Json]> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [key, child] of Object.entries(value)) {
      yield* leaves(child, [...path, key]);
    }
  } else {
    yield [path.join('.'), value];
  }
}
