/** What this window is about, for programs that know nothing of windows. */

import * as vscode from 'vscode';
import { ownEnvironment, type Environment } from './server/env.js';

/** The environment for programs of ours: nothing of the folders that are open here leaks into it. */
export function windowEnvironment(): Environment {
  const folders = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === 'file');
  return ownEnvironment(
    process.env,
    folders.map(({ uri }) => uri.fsPath),
  );
}
