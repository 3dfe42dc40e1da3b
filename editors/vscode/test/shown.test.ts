import { expect, test } from 'vitest';
import { ShownText } from '../src/shown.js';

const insert = (offset: number, inserted: string) => ({ offset, removedLength: 0, inserted });

test('words taken one after the other add up from the start of the text', () => {
  const shown = new ShownText('return a + b', 3, 103);
  expect(shown.apply(insert(103, 'urn'))).toEqual({ kind: 'taken', length: 6 });
  expect(shown.apply(insert(106, ' a'))).toEqual({ kind: 'taken', length: 8 });
  expect(shown.apply(insert(108, ' + b'))).toEqual({ kind: 'typed' });
});

test('typing along is not taking', () => {
  const shown = new ShownText('return', 0, 0);
  expect(shown.apply(insert(0, 'r'))).toEqual({ kind: 'typed' });
  expect(shown.apply(insert(1, 'etu'))).toEqual({ kind: 'taken', length: 4 });
});

test.each([
  ['elsewhere', insert(7, 'ret')],
  ['other text', insert(0, 'raise')],
  ['a deletion', { offset: 0, removedLength: 1, inserted: '' }],
  ['a replacement', { offset: 0, removedLength: 2, inserted: 'ret' }],
])('%s leaves the suggestion', (_name, edit) => {
  expect(new ShownText('return', 0, 0).apply(edit)).toEqual({ kind: 'left' });
});

test('lengths are UTF-16 units', () => {
  expect(new ShownText('🎉🎉 x', 0, 5).apply(insert(5, '🎉🎉'))).toEqual({ kind: 'taken', length: 4 });
});

test.each(['\n    ', '\r\n    ', '()', '  '])('what one key brings is typed: %j', (key) => {
  const rest = 'return 1\n    pass';
  const shown = new ShownText(`${key.replace('\r\n', '\n')}${rest}`, 0, 7);
  expect(shown.apply(insert(7, key))).toEqual({ kind: 'typed' });
  expect(shown.apply(insert(7 + key.length, 'return'))).toMatchObject({ kind: 'taken' });
});

test("a part that spans lines is told in the suggestion's units, whatever the document's line ends", () => {
  const shown = new ShownText('if x:\n    y()\n    z()', 0, 0);
  expect(shown.apply(insert(0, 'if x:\r\n    y()'))).toEqual({ kind: 'taken', length: 13 });
  expect(shown.apply(insert(14, '\r\n    z'))).toEqual({ kind: 'taken', length: 19 });
});

test("the completion menu's item is typed, what goes beyond it is taken", () => {
  const shown = new ShownText('barbaz(first, second)', 1, 5, 6);
  expect(shown.apply(insert(5, 'arbaz'))).toEqual({ kind: 'typed' });
  expect(shown.apply(insert(10, '(first'))).toEqual({ kind: 'taken', length: 12 });
  expect(new ShownText('barbaz(1)', 1, 5, 6).apply(insert(5, 'arbaz('))).toEqual({ kind: 'taken', length: 7 });
});
