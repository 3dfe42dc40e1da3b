import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../src/server/run.js';
import { script, temporaryFolder } from './tools.js';

const env = { PATH: process.env.PATH ?? '' };
const isGone = (pid: number): boolean =>
  /^(Z|$)/.test(spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout);

test('code, both streams, and arguments as they are', async () => {
  const folder = temporaryFolder();
  const file = script(folder, 'program', 'echo "$1"; echo warned >&2; exit 3');
  const lines: string[] = [];
  const result = await run(file, ['two words; $HOME'], { env, cwd: folder, onLine: (line) => lines.push(line) });
  expect(result).toMatchObject({ code: 3, stdout: 'two words; $HOME', timedOut: false });
  expect(lines.toSorted()).toEqual(['two words; $HOME', 'warned']);
});

test('a program that is not there', async () => {
  expect((await run('/no/such/program', [], { env, cwd: '/' })).code).toBe(127);
});

test('a time limit', async () => {
  const result = await run('sleep', ['600'], { env, cwd: '/', timeoutMs: 100 });
  expect(result).toMatchObject({ timedOut: true, code: null });
});

test('nothing outlives an editor that was killed', async () => {
  const folder = temporaryFolder();
  const pidFile = path.join(folder, 'pid');
  const long = script(folder, 'long', `sleep 600 & echo $! > ${pidFile}; wait`);
  // Stands for the extension host: the same module, in a process that gets no chance to clean up.
  const source = path.join(__dirname, '..', '..', 'src', 'server', 'run.ts');
  const code = `require('esbuild').buildSync({entryPoints:[${JSON.stringify(source)}],bundle:true,platform:'node',outfile:${JSON.stringify(path.join(folder, 'run.js'))}});
    require(${JSON.stringify(path.join(folder, 'run.js'))}).run(${JSON.stringify(long)}, [], {env: process.env, cwd: '/'})`;
  const host = spawn(process.execPath, ['-e', code], { cwd: path.join(__dirname, '..', '..') });
  await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8'), { timeout: 20_000 }).toMatch(/\d/);
  host.kill('SIGKILL');
  await expect.poll(() => isGone(Number(readFileSync(pidFile, 'utf8'))), { timeout: 20_000 }).toBe(true);
});
