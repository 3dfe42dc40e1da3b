import { expect, test } from 'vitest';
import { Backoff } from '../src/backoff.js';

test('each end waits longer, and the fifth within three minutes is the last', () => {
  const backoff = new Backoff();
  expect([1, 2, 3, 4, 5].map((atMs) => backoff.next(atMs))).toEqual([500, 1_000, 2_000, 5_000, undefined]);
});

test('ends long ago do not count', () => {
  const backoff = new Backoff();
  expect([0, 100_000, 200_000, 400_000].map((atMs) => backoff.next(atMs))).toEqual([500, 1_000, 1_000, 500]);
});

test("a user's restart forgets them", () => {
  const backoff = new Backoff();
  backoff.next(0);
  backoff.reset();
  expect(backoff.next(1)).toBe(500);
});
