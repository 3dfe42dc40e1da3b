import { expect, test } from 'vitest';
import { modelChoices } from '../src/models.js';

const row = {
  id: 'small',
  size_bytes: 491_400_064,
  description: 'Answers on two laptop cores.',
  installed: true,
  verified: true,
  fit: 'fits',
};

test('models here and those that can be fetched are offered, with size and place', () => {
  const rows = [
    row,
    { ...row, id: 'large', installed: false, fit: 'too_large' },
    { ...row, id: 'unknown', installed: false, verified: false },
    { ...row, id: 'own', verified: false, size_bytes: null },
  ];
  expect(modelChoices(JSON.stringify(rows)).map(({ label, description }) => [label, description])).toEqual([
    ['small', '0.5 GB, on this machine'],
    ['large', '0.5 GB, to be downloaded, more memory than this machine has'],
    ['own', 'on this machine'],
  ]);
});

test.each(['', '{}', '{"models": []}', 'no json'])('%j is refused', (json) => {
  expect(() => modelChoices(json)).toThrow(/form that this extension does not know/);
});
