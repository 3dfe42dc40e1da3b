import { expect, test } from 'vitest';
import { Failure } from '../src/failure.js';
import { entries } from '../src/menu.js';
import type { DocumentStatus, Status } from '../src/protocol.js';
import type { Lifecycle } from '../src/status.js';

const ready: Status = { state: 'ready', message: '' };
const commands = (lifecycle: Lifecycle, document?: DocumentStatus, languageId?: string) =>
  entries(lifecycle, document, languageId).map((entry) => entry.command);

test('running: switches for everything, the language and the file', () => {
  const offered = commands({ kind: 'running', status: ready }, { ...ready, enabled: true }, 'python');
  expect(offered).toEqual(
    expect.arrayContaining(['fimble.disable', 'fimble.disableForLanguage', 'fimble.disableForFile', 'fimble.restart']),
  );
});

test.each([
  ['language', 'fimble.enableForLanguage'],
  ['file', 'fimble.enableForFile'],
] as const)('off by %s: the way back is offered', (off, command) => {
  expect(commands({ kind: 'running', status: ready }, { ...ready, enabled: false, off }, 'python')).toContain(command);
});

test('paused: only the way back', () => {
  const offered = commands({ kind: 'running', status: { state: 'paused', message: '' } }, undefined, 'python');
  expect(offered).toContain('fimble.enable');
  expect(offered).not.toContain('fimble.disableForLanguage');
});

test('no file open: nothing about files', () => {
  expect(commands({ kind: 'running', status: ready })).not.toContain('fimble.disableForFile');
});

test('no server: installing it', () => {
  expect(commands({ kind: 'absent' })).toContain('fimble.installServer');
  expect(commands({ kind: 'absent' })).not.toContain('fimble.restart');
});

test('a model error offers the download', () => {
  expect(commands({ kind: 'running', status: { state: 'error', message: '' } })).toContain('fimble.downloadModel');
});

test('stopped: restart, doctor, output', () => {
  const offered = commands({ kind: 'stopped', failure: new Failure('x') });
  expect(offered).toEqual(expect.arrayContaining(['fimble.restart', 'fimble.doctor', 'fimble.showOutput']));
});
