/** The default model, with its real weights: what it writes is its own business, that it arrives and is kept is ours. */

import assert from 'node:assert/strict';

const PYTHON = `import math


def distance(first, second):
    """The Euclidean distance between two points in the plane."""
    dx = first[0] - second[0]
    dy = first[1] - second[1]
    
`;
const TYPESCRIPT = `interface User {
  name: string;
  age: number;
}

/** The names of all users who are of age, in alphabetical order. */
export function adults(users: User[]): string[] {
  
}
`;

const STATISTICS = `from collections import Counter


def mean(values: list[float]) -> float:
    """The sum of the values, divided by their number."""
    return sum(values) / len(values)


def most_common(words: list[str]) -> str:
    """The word that occurs most often."""
    return Counter(words).most_common(1)[0][0]


def median(values: list[float]) -> float:
`;

export const files = { 'geometry.py': PYTHON, 'users.ts': TYPESCRIPT, 'statistics.py': STATISTICS, 'typing.py': '' };

/** Before the checks: weights are loaded. */
export async function begin(bench) {
  await bench.waitForStatus('ready', 'busy');
}

/** Types `return`'s head in the empty line, takes what comes, and looks at the disk. */
async function acceptReturn(bench, name, line, before) {
  const opened = Date.now();
  await bench.openFile(name);
  await bench.goTo(line, 80);
  await bench.type('ret');
  const ghost = await bench.until('a suggestion that goes on with "ret"', async () => {
    const shown = await bench.ghost();
    return shown.startsWith('urn') ? shown : undefined;
  });
  console.log(`${name}: ${JSON.stringify(ghost)} ${Date.now() - opened} ms after opening the file`);
  await bench.screenshot(`real-${name.replace('.', '-')}`);
  await bench.press('Tab');
  const head = before.split('\n').slice(0, line - 1).join('\n');
  const indent = /^ */.exec(before.split('\n')[line - 1])[0];
  await bench.press('Control+s');
  const saved = await bench.until('the file with the suggestion', () => {
    const text = bench.read(name);
    return Promise.resolve(text.startsWith(`${head}\n${indent}return`) ? text : undefined);
  });
  const tail = before.split('\n').slice(line).join('\n');
  assert.ok(saved.endsWith(`\n${tail}`), saved);
  const written = saved.slice(`${head}\n${indent}ret`.length, saved.length - `\n${tail}`.length);
  assert.equal(written.replaceAll('\n', ''), ghost);
}

export const checks = {
  async 'python: the model writes, tab accepts'(bench) {
    await acceptReturn(bench, 'geometry.py', 8, PYTHON);
  },

  async 'typescript: the model writes, tab accepts'(bench) {
    await acceptReturn(bench, 'users.ts', 8, TYPESCRIPT);
  },

  async 'half a minute of quick typing loses no key'(bench) {
    const line = 'total = first + second * third - fourth ';
    await bench.openFile('typing.py');
    await bench.goTo(1, 1);
    const started = Date.now();
    await bench.type(line.repeat(9), 1000 / 12);
    console.log(`${9 * line.length} keys in ${Date.now() - started} ms`);
    await bench.press('Escape');
    await bench.save('typing.py', line.repeat(9));
  },

  async 'a block of several lines, for the picture'(bench) {
    await bench.openFile('statistics.py');
    await bench.goTo(14, 80);
    await bench.command('Notifications: Clear All Notifications');
    await bench.untilEditorHasKeys();
    await bench.press('Control+b');
    await bench.page.locator('.part.sidebar').waitFor({ state: 'hidden' });
    await bench.untilEditorHasKeys();
    await bench.press('Enter');
    await bench.page.getByText('Ln 15, Col 5').waitFor();
    await bench.until('a suggestion of several lines', async () => {
      const others = await bench.page.locator('.ghost-text:not(.ghost-text-decoration)').count();
      return others > 0 || undefined;
    });
    await bench.screenshot('ghost');
  },
};
