/** What a person does with suggestions, with a scripted model: every answer is known beforehand. */

import assert from 'node:assert/strict';

const PYTHON = 'def add(a, b):\n    \n';
const TYPESCRIPT = 'export function greet(name: string): string {\n  \n}\n';
const SUM = 'function sum(a, b) {\n    const c = a + b;\n    return c;\n}\nsum(1, 2);\n';
/** The first measure of what is left is taken half a minute after accepting, by a clock that ticks every two seconds. */
const MEASURED_MS = 36_000;
/** Long enough for a suggestion that should not come, after others came in less. */
const QUIET_MS = 1500;

export const rules = [
  { prefix_endswith: '):\n    ret', answer: 'urn a + b' },
  { prefix_endswith: 'string {\n  ret', answer: 'urn `Hello, ${name}!`;' },
  { prefix_endswith: 'def twice(n):\n    ', answer: 'result = n + n\n    return result' },
  { prefix_endswith: 'x = add(', answer: '1, 2' },
  { prefix_endswith: 'sum(a, b) {', answer: '\n    const c = a + b;\n    return c;\n}\n\nsum(3, 4);' },
  { prefix_endswith: '# here: ', answer: 'asked for by hand' },
];

export const files = {
  'accept.py': PYTHON,
  'accept.ts': TYPESCRIPT,
  'block.py': '\n',
  'middle.py': 'x = add\n',
  'braces.js': '\nsum(1, 2);\n',
  'braces_opened.js': '\nsum(1, 2);\n',
  'words.py': PYTHON,
  'escape.py': PYTHON,
  'kept.py': PYTHON,
  'why.py': PYTHON,
  'invoke.py': '# here: \n',
  'language.py': PYTHON,
  'language.ts': TYPESCRIPT,
  'file_off.py': PYTHON,
  'file_on.py': PYTHON,
  'everything.py': PYTHON,
  'killed.py': PYTHON,
};

/** Opens one of the Python files above and types the three letters that have an answer. */
async function ask(bench, name) {
  await bench.openFile(name);
  await bench.goTo(2, 80);
  await bench.type('ret');
}

async function expectGhost(bench, name) {
  await ask(bench, name);
  await bench.waitForGhost(name.endsWith('.ts') ? 'urn `Hello, ${name}!`;' : 'urn a + b');
}

async function expectNone(bench, name) {
  await ask(bench, name);
  await bench.page.waitForTimeout(QUIET_MS);
  assert.equal(await bench.ghost(), '');
}

/** Takes back what `ask` typed. */
async function takeBack(bench) {
  await bench.press('Escape', 'Backspace', 'Backspace', 'Backspace');
}

/** Before the checks: the model is there. */
export async function begin(bench) {
  await bench.waitForStatus('ready');
}

export const checks = {
  async 'python: tab accepts'(bench) {
    await expectGhost(bench, 'accept.py');
    await bench.screenshot('python-ghost');
    await bench.press('Tab');
    await bench.save('accept.py', 'def add(a, b):\n    return a + b\n');
    await bench.screenshot('python-accepted');
  },

  async 'typescript: tab accepts'(bench) {
    await expectGhost(bench, 'accept.ts');
    await bench.screenshot('typescript-ghost');
    await bench.press('Tab');
    await bench.save('accept.ts', 'export function greet(name: string): string {\n  return `Hello, ${name}!`;\n}\n');
  },

  async 'a block of several lines'(bench) {
    await bench.openFile('block.py');
    await bench.goTo(1, 1);
    await bench.type('def twice(n):');
    await bench.press('Enter');
    await bench.waitForGhost('result = n + n    return result');
    await bench.screenshot('block-ghost');
    await bench.press('Tab');
    await bench.save('block.py', 'def twice(n):\n    result = n + n\n    return result\n');
  },

  async 'between brackets that the editor closes'(bench) {
    await bench.openFile('middle.py');
    await bench.goTo(1, 80);
    await bench.type('(');
    await bench.waitForGhost('1, 2');
    await bench.press('Tab');
    await bench.save('middle.py', 'x = add(1, 2)\n');
  },

  async 'a block between braces that the editor closes'(bench) {
    await bench.openFile('braces.js');
    await bench.goTo(1, 1);
    await bench.type('function sum(a, b) {');
    // The brace that stands there is drawn below the block.
    assert.match(await bench.waitForGhost(), /^\s*const c = a \+ b;\s+return c;\s*\}?$/);
    await bench.screenshot('braces-ghost');
    await bench.press('Tab');
    await bench.save('braces.js', SUM);
  },

  async 'the line between braces ended first'(bench) {
    await bench.openFile('braces_opened.js');
    await bench.goTo(1, 1);
    await bench.type('function sum(a, b) {');
    await bench.press('Enter');
    await bench.waitForGhost('const c = a + b;    return c;');
    await bench.press('Tab');
    await bench.save('braces_opened.js', SUM);
  },

  async 'word by word'(bench) {
    await expectGhost(bench, 'words.py');
    const seen = [];
    for (let rest = 'urn a + b'; rest !== ''; ) {
      await bench.press('Control+ArrowRight');
      const before = rest;
      rest = await bench.until('less of the suggestion', async () => {
        const ghost = await bench.ghost();
        return before.endsWith(ghost) && ghost.length < before.length ? ghost : undefined;
      });
      seen.push(rest);
      if (seen.length === 1) {
        await bench.screenshot('words-ghost');
      }
    }
    assert.ok(seen.length > 3, `taken in ${seen.length} steps: ${JSON.stringify(seen)}`);
    await bench.save('words.py', 'def add(a, b):\n    return a + b\n');
  },

  async 'escape dismisses, and tab is tab again'(bench) {
    await expectGhost(bench, 'escape.py');
    await bench.press('Escape');
    await bench.waitForNoGhost();
    await bench.press('Tab');
    await bench.save('escape.py', 'def add(a, b):\n    ret \n');
  },

  async 'asked for by command'(bench) {
    await bench.openFile('invoke.py');
    await bench.goTo(1, 80);
    await bench.page.waitForTimeout(QUIET_MS);
    assert.equal(await bench.ghost(), '');
    await bench.command('fimble: Complete Here Now');
    await bench.waitForGhost('asked for by hand');
  },

  async 'off for a language, and on again'(bench) {
    await bench.openFile('language.py');
    await bench.command('fimble: Turn Completions Off for This Language');
    await bench.waitForStatus('off here');
    assert.equal(bench.settings()['fimble.completion.disabled_languages'], 'python');
    await expectNone(bench, 'language.py');
    await bench.screenshot('off-for-language');
    await takeBack(bench);
    await expectGhost(bench, 'language.ts');
    await bench.waitForStatus('ready', 'busy');
    await bench.openFile('language.py');
    await bench.waitForStatus('off here');
    await bench.command('fimble: Turn Completions On for This Language');
    await bench.waitForStatus('ready');
    await expectGhost(bench, 'language.py');
  },

  async 'off for a file, even when it is closed and opened'(bench) {
    await bench.openFile('file_off.py');
    await bench.command('fimble: Turn Completions Off for This File');
    await bench.waitForStatus('off here');
    await expectNone(bench, 'file_off.py');
    await takeBack(bench);
    await expectGhost(bench, 'file_on.py');
    await takeBack(bench);
    await bench.openFile('file_off.py');
    await bench.press('Control+s');
    await bench.command('View: Close Editor');
    await bench.openFile('file_off.py');
    await bench.waitForStatus('off here');
    await expectNone(bench, 'file_off.py');
    await takeBack(bench);
    await bench.command('fimble: Turn Completions On for This File');
    await bench.waitForStatus('ready');
    await expectGhost(bench, 'file_off.py');
  },

  async 'off for everything, and on again from the menu'(bench) {
    await bench.openFile('everything.py');
    await bench.command('fimble: Turn Completions Off');
    await bench.waitForStatus('off');
    await expectNone(bench, 'everything.py');
    await takeBack(bench);
    await bench.statusItem().click();
    await bench.page.locator('.monaco-list-row', { hasText: 'Turn completions on' }).waitFor();
    await bench.screenshot('menu');
    await bench.press('Enter');
    await bench.waitForStatus('ready');
    await expectGhost(bench, 'everything.py');
  },

  async 'models to choose from'(bench) {
    await bench.command('fimble: Choose Model…');
    await bench.page.locator('.monaco-list-row', { hasText: 'qwen2.5-coder-0.5b' }).first().waitFor();
    await bench.screenshot('models');
    await bench.press('Escape');
  },

  async 'why this suggestion'(bench) {
    await bench.openFile('why.py');
    await bench.goTo(2, 80);
    await bench.command('fimble: Why This Suggestion?');
    // Long lines are wrapped on the screen.
    const shown = async () => (await bench.page.locator('.monaco-editor').allInnerTexts()).join(' ').replaceAll(/\s+/g, ' ');
    await bench.until('the page', async () => /What fimble.s model sees here/.test(await shown()) || undefined);
    await bench.screenshot('why');
    await bench.command('View: Revert and Close Editor');
  },

  async 'what is left of an accepted text is measured'(bench) {
    await expectGhost(bench, 'kept.py');
    await bench.press('Tab', 'Backspace');
    await bench.type('c');
    await bench.press('Escape');
    await bench.save('kept.py', 'def add(a, b):\n    return a + c\n');
    await bench.page.waitForTimeout(MEASURED_MS);
  },

  async 'what was accepted is counted and shown'(bench) {
    // Opening the menu counts anew; what was on the screen long enough counts as shown.
    await bench.statusItem().click();
    await bench.page.locator('.monaco-list-row', { hasText: 'Show statistics' }).click();
    const status = await bench.until('counts in the status', async () => {
      const label = await bench.status();
      return /Today: \d+ of \d+ suggestions accepted/.test(label) ? label : undefined;
    });
    const [accepted, shown] = /(\d+) of (\d+)/.exec(status).slice(1).map(Number);
    assert.ok(accepted >= 4 && shown >= accepted, status);
    const texts = () => Promise.all(bench.page.frames().map((frame) => frame.locator('body').innerText().catch(() => '')));
    await bench.until('the page', async () => (await texts()).some((text) => text.includes('Accepted and kept')) || undefined);
    await bench.screenshot('statistics');
    await bench.command('View: Close Editor');
  },

  async 'a restart leaves one server, a new one'(bench) {
    const [before] = bench.servers();
    await bench.command('fimble: Restart Server');
    await bench.waitForStatus('starting');
    await bench.waitForStatus('ready');
    const [after, ...others] = bench.servers();
    assert.notEqual(after, before);
    assert.deepEqual(others, []);
  },

  async 'a killed server shows, and comes back'(bench) {
    const [before, ...others] = bench.servers();
    assert.deepEqual(others, []);
    process.kill(before, 'SIGKILL');
    await bench.waitForStatus('restarting');
    await bench.screenshot('restarting');
    await bench.waitForStatus('ready');
    const [after, ...rest] = bench.servers();
    assert.deepEqual(rest, []);
    assert.notEqual(after, before);
    await expectGhost(bench, 'killed.py');
    await bench.press('Tab');
    await bench.save('killed.py', 'def add(a, b):\n    return a + b\n');
  },
};
