import { expect, test } from 'vitest';
import { Failure } from '../src/failure.js';
import { readDocumentStatus, readStatus, type DocumentStatus, type Status } from '../src/protocol.js';
import { acceptanceSentence, isReady, present, type Lifecycle } from '../src/status.js';

const running = (status: Status): Lifecycle => ({ kind: 'running', status });
const ready: Status = { state: 'ready', message: 'Ready' };

test.each<[Lifecycle, string, string, string]>([
  [{ kind: 'absent' }, ': not installed', 'not installed', 'plain'],
  [{ kind: 'installing', step: 'Fetching numpy' }, ': installing', 'installing', 'plain'],
  [{ kind: 'starting' }, ': starting', 'starting', 'plain'],
  [{ kind: 'restarting', reason: 'It was ended by SIGKILL.' }, ': restarting', 'restarting', 'warning'],
  [{ kind: 'stopped', failure: new Failure('No.', 'Mend.') }, ': stopped', 'stopped', 'error'],
  [running({ state: 'starting', message: 'Loading' }), ': starting', 'starting', 'plain'],
  [running({ state: 'downloading', message: 'm', percent: 41.9 }), ': downloading 41%', 'downloading', 'plain'],
  [running({ state: 'downloading', message: 'm' }), ': downloading', 'downloading', 'plain'],
  [running(ready), '', 'ready', 'plain'],
  [running({ state: 'busy', message: 'Completing' }), '', 'busy', 'plain'],
  [running({ state: 'paused', message: '' }), ': off', 'off', 'plain'],
  [running({ state: 'error', message: 'Model missing', mend: 'Download it.' }), ': error', 'error', 'error'],
])('%j', (lifecycle, suffix, word, severity) => {
  const shown = present(lifecycle);
  expect([shown.suffix, shown.word, shown.severity]).toEqual([suffix, word, severity]);
});

test('an error shows what happened and the mend', () => {
  const shown = present(running({ state: 'error', message: 'Model missing', mend: 'Download it.' }));
  expect([shown.sentence, shown.mend]).toEqual(['Model missing', 'Download it.']);
});

test.each(['global', 'language', 'file', 'excluded', 'too_large'] as const)('off by %s says why', (off) => {
  const document: DocumentStatus = { ...ready, enabled: false, off };
  const shown = present(running(ready), document);
  expect(shown.word).toBe('off here');
  expect(shown.sentence).not.toBe('');
});

test('a document that gets completions changes nothing', () => {
  expect(present(running(ready), { ...ready, enabled: true })).toEqual(present(running(ready)));
});

test('completions can be had when ready or busy only', () => {
  expect(isReady(running(ready))).toBe(true);
  expect(isReady(running({ state: 'busy', message: '' }))).toBe(true);
  expect(isReady(running({ state: 'paused', message: '' }))).toBe(false);
  expect(isReady({ kind: 'restarting', reason: '' })).toBe(false);
});

test('acceptance is told in numbers, and not invented', () => {
  expect(present(running(ready), undefined, { shown: 8, accepted: 3 }).suffix).toBe(' 38%');
  expect(present(running(ready), undefined, { shown: 0, accepted: 0 }).suffix).toBe('');
  expect(acceptanceSentence({ shown: 0, accepted: 0 })).toBe('');
  expect(acceptanceSentence({ shown: 8, accepted: 3 })).toBe('Today: 3 of 8 suggestions accepted.');
  expect(acceptanceSentence(undefined)).toBe('');
});

test.each([null, undefined, 7, 'ready', {}, { state: 'dancing', message: 'm' }])('%j is no status', (value) => {
  expect(readStatus(value)).toBeUndefined();
  expect(readDocumentStatus(value)).toBeUndefined();
});

test('null fields of a status count as left out', () => {
  const wire = { state: 'ready', message: 'Ready', percent: null, mend: null, model: 'm' };
  expect(readStatus(wire)).toEqual({ state: 'ready', message: 'Ready', model: 'm' });
});

test('a document status needs `enabled`, and knows its reasons', () => {
  expect(readDocumentStatus({ ...ready })).toBeUndefined();
  expect(readDocumentStatus({ ...ready, enabled: false, off: 'file' })?.off).toBe('file');
  expect(readDocumentStatus({ ...ready, enabled: false, off: 'whim' })).toEqual({ ...ready, enabled: false });
});

test('languages that are off are told where the server says them', () => {
  const read = (disabledLanguages: unknown) =>
    readDocumentStatus({ ...ready, enabled: true, disabledLanguages })?.disabledLanguages;
  expect(read(['markdown', 'plaintext'])).toEqual(['markdown', 'plaintext']);
  expect(read(['markdown', 7])).toBeUndefined();
  expect(read(undefined)).toBeUndefined();
});
