import { expect, test } from 'vitest';
import type { Memento } from 'vscode';
import { Refusal } from '../src/refusal.js';

function refusal(): Refusal {
  const kept = new Map<string, unknown>();
  const memory: Pick<Memento, 'get' | 'update'> = {
    get: <T>(key: string, otherwise?: T) => (kept.get(key) as T | undefined) ?? otherwise,
    update: (key: string, value: unknown) => {
      kept.set(key, value);
      return Promise.resolve();
    },
  };
  return new Refusal(memory as Memento);
}

test('who did not want the server is not asked again', async () => {
  const mine = refusal();
  expect(mine.stands).toBe(false);
  await mine.take();
  await mine.follow({ kind: 'absent' });
  await mine.follow({ kind: 'starting' });
  expect(mine.stands).toBe(true);
});

test('who installed one later is asked when an update of the extension leaves them without', async () => {
  const mine = refusal();
  await mine.take();
  await mine.follow({ kind: 'running', status: { state: 'ready', message: '' } });
  await mine.follow({ kind: 'absent' });
  expect(mine.stands).toBe(false);
});
