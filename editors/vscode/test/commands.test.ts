import { expect, test } from 'vitest';
import { registerCommands, type Parts } from '../src/commands.js';
import type { Lifecycle } from '../src/status.js';
import { errors, executed, registered, window, workspace } from './vscode.js';

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

test('completing by hand without a server says what is wrong', async () => {
  const lifecycle: Lifecycle = { kind: 'absent' };
  register({ session: { lifecycle } });
  await run('fimble.trigger');
  expect(errors).toEqual(['The server is not installed yet.']);
  expect(executed).toEqual([]);
});

test('completing by hand asks the editor where a server runs', async () => {
  const lifecycle: Lifecycle = { kind: 'running', status: { state: 'ready', message: '' } };
  register({ session: { lifecycle } });
  await run('fimble.trigger');
  expect(executed).toEqual(['editor.action.inlineSuggest.trigger']);
});
