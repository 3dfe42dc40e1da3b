import { expect, test } from 'vitest';
import { localDay, readAcceptance, themed } from '../src/statistics.js';

test('totals of today', () => {
  expect(readAcceptance('{"total": {"shown": 8, "accepted": 3, "car": null}}')).toEqual({ shown: 8, accepted: 3 });
});

test.each(['', '[]', 'null', '{}', '{"total": {"shown": "8"}}'])('%j has none', (json) => {
  expect(readAcceptance(json)).toBeUndefined();
});

test('a day is the local one', () => {
  expect(localDay(new Date(2026, 0, 5, 0, 1))).toBe('2026-01-05');
  expect(localDay(new Date(2026, 10, 21, 23, 59))).toBe('2026-11-21');
});

test("the page's own colours give way to the theme's", () => {
  const html = themed('<head><style>:root { --paper: #fff; }</style></head><body>x</body>');
  expect(html).toMatch(/--paper: #fff.*--paper: var\(--vscode-editor-background\).*<\/head><body>x/);
});
