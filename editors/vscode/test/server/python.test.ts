import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { findPython } from '../../src/server/python.js';
import { script, temporaryFolder } from './tools.js';

const env = { PATH: process.env.PATH ?? '' };

test('finds a Python of the machine', async () => {
  const { version } = await findPython('', env, temporaryFolder());
  expect(version[0]).toBe(3);
  expect(version[1]).toBeGreaterThanOrEqual(11);
});

test('passes over the Python of a virtual environment', async () => {
  const folder = temporaryFolder();
  execFileSync('python3', ['-m', 'venv', '--without-pip', path.join(folder, 'venv')]);
  const found = await findPython('', { PATH: `${folder}/venv/bin:${env.PATH}` }, folder);
  expect(found.path.startsWith(folder)).toBe(false);
});

test.each([
  ['passes over an environment of conda', ['conda-meta'], false],
  ['takes the Python of conda itself', ['conda-meta', 'condabin'], true],
])('%s', async (_name, inside, isTaken) => {
  const folder = temporaryFolder();
  for (const name of inside) mkdirSync(path.join(folder, name));
  const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
  const as = `import sys; sys.prefix = sys.base_prefix = "${folder}"; exec(sys.argv[1])`;
  script(folder, 'python3.13', `exec ${python} -I -c '${as}' "$3"`);
  const found = await findPython('', { PATH: `${folder}:${env.PATH}` }, folder);
  expect(found.path.startsWith(folder)).toBe(isTaken);
});

test("takes the user's choice", async () => {
  const folder = temporaryFolder();
  const mine = script(folder, 'mine', "echo '[3, 12, false, true]'");
  expect(await findPython(mine, env, folder)).toMatchObject({ path: mine, version: [3, 12] });
});

test.each([
  ['too old', "echo '[3, 9, false, true]'", /3\.11 or newer; found .*mine \(3\.9\)/],
  ['without ensurepip', "echo '[3, 12, false, false]'", /cannot make virtual environments/],
  ['broken', 'exit 3', /not a Python that runs/],
  ['talking nonsense', 'echo hello', /not a Python that runs/],
])('a chosen Python that is %s is refused with the reason', async (_name, body, message) => {
  const folder = temporaryFolder();
  const mine = script(folder, 'mine', body);
  await expect(findPython(mine, env, folder)).rejects.toThrow(message);
  await expect(findPython(mine, env, folder)).rejects.toHaveProperty('mend', expect.stringMatching(/\w/));
});
