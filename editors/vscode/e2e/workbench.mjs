/** A real VS Code workbench in a real browser: started, driven, looked at, ended. */

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

export const WAIT_MS = 60_000;

const SETTINGS = {
  'chat.disableAIFeatures': true,
  'editor.accessibilitySupport': 'off',
  'editor.inlineSuggest.enabled': true,
  // The list of suggestions would take Tab for itself.
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.suggestOnTriggerCharacters': false,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'files.autoSave': 'off',
  'git.enabled': false,
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'window.commandCenter': false,
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.enableExperiments': false,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
};

/**
 * @typedef {object} Setup
 * @property {string} codeServer  folder of the installed code-server
 * @property {string} node        the Node that runs it
 * @property {string} chromium    the browser
 * @property {string} vsix        the packaged extension
 * @property {string} shots       folder for screenshots
 * @property {Record<string, string>} env       for the server side
 * @property {Record<string, unknown>} settings the user's settings
 * @property {Record<string, string>} files     text by name, put into the workspace
 */

export class Workbench {
  /** Installs the extension, opens the workspace. @param {Setup} setup @returns {Promise<Workbench>} */
  static async open(setup) {
    const bench = new Workbench(setup);
    try {
      await bench.#start();
      return bench;
    } catch (error) {
      await bench.close();
      throw error;
    }
  }

  #setup;
  #root = fs.mkdtempSync(path.join(os.tmpdir(), 'fimble-vscode-'));
  #server;
  #browser;
  page;
  /** What went wrong in the page itself. */
  pageErrors = [];

  constructor(setup) {
    this.#setup = setup;
    const settings = { ...SETTINGS, ...setup.settings };
    for (const place of ['User', 'Machine']) {
      fs.mkdirSync(path.join(this.#root, 'data', place), { recursive: true });
      fs.writeFileSync(path.join(this.#root, 'data', place, 'settings.json'), JSON.stringify(settings));
    }
    fs.mkdirSync(this.file('.'));
    for (const [name, text] of Object.entries(setup.files)) {
      fs.writeFileSync(this.file(name), text);
    }
  }

  /** Path of a workspace file. */
  file(name) {
    return path.join(this.#root, 'workspace', name);
  }

  read(name) {
    return fs.readFileSync(this.file(name), 'utf8');
  }

  /** The settings as they are on disk now. */
  settings() {
    return JSON.parse(fs.readFileSync(path.join(this.#root, 'data', 'User', 'settings.json'), 'utf8'));
  }

  async openFile(name) {
    await this.page.keyboard.press('Control+p');
    await this.page.keyboard.type(name);
    await this.#pick(name);
    await this.page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
    await this.untilEditorHasKeys();
  }

  /** Waits until keys go to the open file, not to a quick input that is about to close. */
  async untilEditorHasKeys() {
    await this.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
    await this.page.locator('.monaco-editor.focused, .monaco-editor .focused').first().waitFor();
  }

  /** Puts the cursor at a line (from 1) and column of the open file. */
  async goTo(line, column) {
    await this.page.keyboard.press('Control+g');
    await this.page.keyboard.type(`${line}:${column}`);
    await this.page.keyboard.press('Enter');
    await this.untilEditorHasKeys();
  }

  /** Types as a person would, key by key. */
  async type(text, delayMs = 60) {
    await this.page.keyboard.type(text, { delay: delayMs });
  }

  async press(...keys) {
    for (const key of keys) {
      await this.page.keyboard.press(key);
    }
  }

  /** Runs a command by its title in the palette. */
  async command(title) {
    await this.page.keyboard.press('F1');
    await this.page.locator('.quick-input-widget').waitFor();
    await this.page.keyboard.type(title);
    await this.#pick(title);
  }

  /** Chooses a row of the quick input. Not by Enter: what was used last stands on top, and names may begin alike. */
  async #pick(label) {
    const exact = new RegExp(`^${label.replaceAll(/[.()?]/g, '\\$&')}$`);
    await this.page.locator('.quick-input-list .monaco-list-row a').filter({ hasText: exact }).first().click();
  }

  /** The text of the editor's suggestion, its lines run together; empty when there is none. */
  async ghost() {
    // The first line stands in the editor's own line, the others in a zone below, which comes earlier in the page.
    const [first, others] = await Promise.all(
      ['.ghost-text-decoration', '.ghost-text:not(.ghost-text-decoration)'].map((selector) =>
        this.page.locator(selector).allTextContents(),
      ),
    );
    return [...first, ...others].join('').replaceAll('\u00a0', ' ').trimEnd();
  }

  /** Waits for a suggestion, this one where it is known, and returns it. */
  async waitForGhost(expected) {
    const isIt = (ghost) => (expected === undefined ? ghost !== '' : ghost === expected);
    return this.until(`the suggestion ${expected ?? ''}`, async () => {
      const ghost = await this.ghost();
      return isIt(ghost) ? ghost : undefined;
    });
  }

  async waitForNoGhost() {
    await this.until('no suggestion', async () => (await this.ghost()) === '' || undefined);
  }

  /** The extension's status bar item; progress of the server stands beside it under the same name. */
  statusItem() {
    return this.page.locator('.statusbar-item a[aria-label^="fimble status: "]').first();
  }

  /** What the status bar says, as in "fimble status: ready. ...". */
  async status() {
    const labels = await this.page
      .locator('.statusbar-item a')
      .evaluateAll((items) => items.map((item) => item.getAttribute('aria-label') ?? ''));
    return labels.find((label) => label.startsWith('fimble status: ')) ?? '';
  }

  /** Waits until the status is one of these words. */
  async waitForStatus(...words) {
    return this.waitLongForStatus(WAIT_MS, ...words);
  }

  async waitLongForStatus(timeoutMs, ...words) {
    const isOne = (status) => words.some((word) => status.startsWith(`fimble status: ${word}.`));
    const probe = async () => {
      const status = await this.status();
      return isOne(status) ? status : undefined;
    };
    return this.until(`status ${words.join(' or ')}`, probe, timeoutMs);
  }

  /** Waits for a notification with this text, and returns all its text. */
  async notification(text) {
    const toast = this.page.locator('.notification-toast').filter({ hasText: text }).first();
    await toast.waitFor();
    return toast.locator('.notification-list-item-message').innerText();
  }

  /** Clicks a button of a notification. */
  async answer(text, button) {
    const toast = this.page.locator('.notification-toast').filter({ hasText: text }).first();
    await toast.locator('.monaco-button').getByText(button, { exact: true }).click();
  }

  /** Saves, and waits until the file holds this. */
  async save(name, expected) {
    await this.press('Control+s');
    await this.until(`${name} on disk`, () => Promise.resolve(this.read(name) === expected || undefined)).catch(() => {
      throw new Error(`${name} on disk is ${JSON.stringify(this.read(name))}, not ${JSON.stringify(expected)}`);
    });
  }

  /** Polls `probe` until it gives something. */
  async until(what, probe, timeoutMs = WAIT_MS) {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const found = await probe();
      if (found !== undefined) {
        return found;
      }
      if (Date.now() > end) {
        throw new Error(`waited in vain for ${what}; status: ${await this.status()}`);
      }
      await this.page.waitForTimeout(50);
    }
  }

  /** The window as it is, once nothing moves any more. */
  async screenshot(name) {
    await this.page.waitForTimeout(400);
    fs.mkdirSync(this.#setup.shots, { recursive: true });
    await this.page.screenshot({ path: path.join(this.#setup.shots, `${name}.png`) });
  }

  /** The server program that the settings name. */
  server() {
    return { path: this.#setup.settings['fimble.server.path'] };
  }

  /** Process ids of language servers that this workbench runs. */
  servers() {
    const children = new Map();
    const servers = [];
    for (const entry of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const stat = fs.readFileSync(`/proc/${entry}/stat`, 'utf8');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const command = fs.readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0');
        children.set(Number(entry), Number(parent));
        if (state !== 'Z' && command.includes('serve') && command.includes('--stdio')) {
          servers.push(Number(entry));
        }
      } catch {
        // It ended while we looked.
      }
    }
    const isOurs = (pid) => pid === this.#server?.pid || (children.has(pid) && isOurs(children.get(pid)));
    return servers.filter(isOurs);
  }

  async close() {
    await this.#browser?.close();
    if (this.#server?.exitCode === null) {
      const ended = new Promise((resolve) => this.#server.once('exit', resolve));
      process.kill(-this.#server.pid, 'SIGTERM');
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 10_000))]);
    }
    fs.rmSync(this.#root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  async #start() {
    await this.#codeServer(['--install-extension', this.#setup.vsix]);
    const port = await freePort();
    this.#server = this.#spawn(['--bind-addr', `127.0.0.1:${port}`]);
    const url = `http://127.0.0.1:${port}`;
    for (let i = 0; !(await isUp(`${url}/healthz`)); i++) {
      if (i > 300 || this.#server.exitCode !== null) {
        throw new Error('code-server did not come up');
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    this.#browser = await chromium.launch({
      executablePath: this.#setup.chromium,
      args: [
        ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage'],
        ...['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
      ],
    });
    const context = await this.#browser.newContext({ viewport: { width: 1100, height: 640 } });
    context.setDefaultTimeout(WAIT_MS);
    this.page = await context.newPage();
    this.page.on('pageerror', (error) => this.pageErrors.push(String(error)));
    await this.page.goto(`${url}/?folder=${encodeURIComponent(this.file('.'))}`);
    await this.page.locator('.monaco-workbench').waitFor();
    await this.until('the extension', async () => (await this.status()) || undefined);
  }

  #arguments(extra) {
    const data = path.join(this.#root, 'data');
    return [
      path.join(this.#setup.codeServer, 'out', 'node', 'entry.js'),
      ...['--auth', 'none', '--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'],
      ...['--disable-getting-started-override', '--config', path.join(this.#root, 'code-server.yaml')],
      ...['--user-data-dir', data, '--extensions-dir', path.join(this.#root, 'extensions'), ...extra],
    ];
  }

  #spawn(extra) {
    const log = fs.openSync(path.join(this.#root, 'code-server.log'), 'a');
    return spawn(this.#setup.node, this.#arguments(extra), {
      env: {
        PATH: process.env.PATH,
        LANG: 'C.UTF-8',
        HOME: this.#root,
        EXTENSIONS_GALLERY: '{"serviceUrl":""}',
        ...this.#setup.env,
      },
      stdio: ['ignore', log, log],
      detached: true,
    });
  }

  async #codeServer(extra) {
    fs.writeFileSync(path.join(this.#root, 'code-server.yaml'), 'auth: none\n');
    const child = this.#spawn(extra);
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) {
      throw new Error(`code-server ${extra.join(' ')} ended with ${code}:\n${this.serverLog()}`);
    }
  }

  /** What code-server itself printed. */
  serverLog() {
    return fs.readFileSync(path.join(this.#root, 'code-server.log'), 'utf8');
  }
}

async function isUp(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
