/** With real environments and the real pip, kept off the network by pip's own configuration. */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import * as path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { forgetServer, installServer, installedServer, type Installation } from '../../src/server/install.js';
import { ownEnvironment } from '../../src/server/env.js';
import { makeWheel, script, temporaryFolder } from './tools.js';

let index: string;
let installation: Installation;
let steps: string[];
let lines: string[];

beforeEach(() => {
  index = temporaryFolder();
  makeWheel(index, '0.1.0');
  steps = [];
  lines = [];
  installation = {
    storage: path.join(temporaryFolder(), 'storage with spaces'),
    requirement: 'fimble==0.1.0',
    python: '',
    // The user's pip configuration: an index of their own, and user installs, which a venv must not take over.
    env: ownEnvironment({ ...process.env, PIP_NO_INDEX: '1', PIP_FIND_LINKS: index, PIP_USER: '1' }, []),
  };
});

const install = (signal = new AbortController().signal) =>
  installServer(installation, {
    signal,
    onStep: (step) => steps.push(step),
    onLine: (line) => lines.push(line),
  });
const version = (file: string) => execFileSync(file, { encoding: 'utf8' }).trim();

test('installs what pip is configured to find, and finds it again', async () => {
  expect(await installedServer(installation)).toBeUndefined();
  const file = await install();
  expect(version(file)).toBe('fimble 0.1.0');
  expect(file.startsWith(installation.storage)).toBe(true);
  expect(await installedServer(installation)).toBe(file);
  expect(steps.at(-1)).toBe('Installing');
  expect(lines.some((line) => line.includes(index))).toBe(true);
});

test('another requirement replaces it, a repair makes it anew', async () => {
  const file = await install();
  makeWheel(index, '0.2.0');
  installation = { ...installation, requirement: 'fimble==0.2.0' };
  expect(await installedServer(installation)).toBeUndefined();
  expect(version(await install())).toBe('fimble 0.2.0');
  await forgetServer(installation.storage);
  expect(await installedServer(installation)).toBeUndefined();
  expect(await install()).toBe(file);
});

test('a wheel of the same name with another content is installed anew', async () => {
  const wheel = makeWheel(index, '0.3.0');
  installation = { ...installation, requirement: wheel };
  await install();
  expect(await installedServer(installation)).toBeDefined();
  makeWheel(index, '0.3.0', 'renamed');
  expect(await installedServer(installation)).toBeUndefined();
});

test('two windows at once install once', async () => {
  const [first, second] = await Promise.all([install(), install()]);
  expect(first).toBe(second);
  expect(lines.filter((line) => line.startsWith('> ') && line.includes(' venv ')).length).toBe(1);
});

test('a requirement that is not there: a clear failure, and nothing that looks installed', async () => {
  installation = { ...installation, requirement: 'fimble==7.7' };
  await expect(install()).rejects.toThrow(/no fimble that fits/);
  expect(await installedServer(installation)).toBeUndefined();
  expect(existsSync(path.join(installation.storage, 'install.lock'))).toBe(false);
});

test('a package without the program is refused', async () => {
  makeWheel(index, '0.4.0', 'other');
  installation = { ...installation, requirement: 'fimble==0.4.0' };
  await expect(install()).rejects.toThrow(/brought no fimble program/);
});

test('a Python that vanished: not installed', async () => {
  const file = await install();
  const python = path.join(path.dirname(file), 'python');
  rmSync(python);
  symlinkSync('/no/such/python', python);
  expect(await installedServer(installation)).toBeUndefined();
});

test('cancelling ends pip and all it started', async () => {
  const folder = temporaryFolder();
  const pidFile = path.join(folder, 'pid');
  const controller = new AbortController();
  // Stands for a Python whose pip is compiling: a child that would outlive it.
  const python = script(
    folder,
    'python',
    `case "$*" in *sys.version_info*) echo '[3, 12, false, true]';; *) sleep 600 & echo $! > '${pidFile}'; echo compiling; wait;; esac`,
  );
  installation = { ...installation, python };
  const running = installServer(installation, {
    signal: controller.signal,
    onStep: () => undefined,
    onLine: (line) => {
      if (line === 'compiling') {
        controller.abort();
      }
    },
  });
  await expect(running).rejects.toThrow(/cancelled/);
  const pid = Number(readFileSync(pidFile, 'utf8'));
  // Gone, or a zombie that this machine's init has not buried.
  await expect.poll(() => spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout).toMatch(/^(Z|$)/);
});
