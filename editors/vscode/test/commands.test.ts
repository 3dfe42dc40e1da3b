import { expect, test } from 'vitest';
import { registerCommands, type Parts } from '../src/commands.js';
import { registered, window, workspace } from './vscode.js';

const register = (parts: object): unknown =>
  registerCommands({ output: { error: () => undefined }, ...parts } as unknown as Parts);
const run = (name: string) => registered.get(name)?.();

test("a cell's file is its notebook", async () => {
  const switched: [string, boolean][] = [];
  const setFileEnabled = (uri: string, enabled: boolean) => {
    switched.push([uri, enabled]);
    return Promise.resolve();
  };
  register({ documents: { setFileEnabled } });
  const cell = { uri: 'vscode-notebook-cell:/a.ipynb#W0' };
  workspace.notebookDocuments.push({ uri: 'file:///a.ipynb', getCells: () => [{ document: cell }] });
  window.activeTextEditor = { document: cell };
  await run('fimble.disableForFile');
  window.activeTextEditor = { document: { uri: 'file:///b.py' } };
  await run('fimble.enableForFile');
  expect(switched).toEqual([
    ['file:///a.ipynb', false],
    ['file:///b.py', true],
  ]);
});
