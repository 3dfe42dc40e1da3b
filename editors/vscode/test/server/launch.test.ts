import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { launch } from '../../src/server/launch.js';
import { script, temporaryFolder } from './tools.js';

const lines: string[] = [];
const options = (cwd: string) => ({
  env: { PATH: process.env.PATH ?? '' },
  cwd,
  onLine: (line: string) => lines.push(line),
});

test('a program talks over its streams and says how it ended', async () => {
  const folder = temporaryFolder();
  const file = script(folder, 'fimble', 'echo "$@"; read line; echo "got $line" >&2; exit 3');
  const connection = await launch({ kind: 'program', path: file }, options(folder));
  const args = await new Promise<string>((resolve) => {
    connection.reader.once('data', (data: Buffer) => {
      resolve(data.toString());
    });
  });
  connection.writer.write('hello\n');
  expect(args.trim()).toBe('serve --stdio');
  expect(await connection.ended).toBe('The server ended with code 3: got hello.');
  expect(lines).toContain('got hello');
});

test('a killed program is told apart', async () => {
  const folder = temporaryFolder();
  const file = script(folder, 'fimble', 'kill -KILL $$');
  const connection = await launch({ kind: 'program', path: file }, options(folder));
  expect(await connection.ended).toBe('The server was ended by SIGKILL.');
});

test('a program that cannot start is a failure with a mend', async () => {
  const folder = temporaryFolder();
  const starting = launch({ kind: 'program', path: path.join(folder, 'nothing') }, options(folder));
  await expect(starting).rejects.toHaveProperty('mend', expect.stringContaining('Examine'));
});

test('a program that ignores the protocol is ended on closing', async () => {
  const folder = temporaryFolder();
  const sign = path.join(folder, 'up');
  const file = script(folder, 'fimble', `trap '' TERM; touch ${sign}; while :; do sleep 0.1; done`);
  const connection = await launch({ kind: 'program', path: file }, options(folder));
  await expect.poll(() => existsSync(sign)).toBe(true);
  connection.close();
  expect(await connection.ended).toMatch(/SIGKILL/);
});

test('a socket', async () => {
  const server = createServer((socket) => {
    socket.end('hi');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const connection = await launch({ kind: 'socket', host: '127.0.0.1', port }, options('/'));
  connection.reader.resume();
  connection.writer.end();
  expect(await connection.ended).toBe(`The connection to 127.0.0.1:${port} was closed.`);
  server.close();
  const dialling = launch({ kind: 'socket', host: '127.0.0.1', port }, options('/'));
  await expect(dialling).rejects.toThrow(/No server answers/);
});
