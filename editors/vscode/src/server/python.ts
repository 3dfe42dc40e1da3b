/** Finds the Python that makes fimble's own environment: the machine's, never the project's. */

import { access, constants } from 'node:fs/promises';
import * as path from 'node:path';
import { Failure } from '../failure.js';
import { searchPath, type Environment } from './env.js';
import { run } from './run.js';

const NAMES = ['python3.13', 'python3.12', 'python3.11', 'python3', 'python'];
const USUAL_FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];
const OLDEST: readonly [number, number] = [3, 11];
const PROBE_TIMEOUT_MS = 20_000;
/** An environment of conda has a base of its own; what tells it from conda's own installation is that it lacks conda. */
const PROBE =
  'import sys,json,os.path as p,importlib.util as u;' +
  'has=lambda name:p.isdir(p.join(sys.prefix,name));' +
  'virtual=sys.prefix!=sys.base_prefix or has("conda-meta") and not has("condabin");' +
  'print(json.dumps([*sys.version_info[:2],virtual,u.find_spec("ensurepip") is not None]))';

export interface Python {
  readonly path: string;
  readonly version: readonly [number, number];
}

interface Probe extends Python {
  readonly isVirtual: boolean;
  readonly hasEnsurepip: boolean;
}

/**
 * `chosen` is the user's own choice, empty for none. `env` comes from `ownEnvironment`.
 * Throws a Failure that says what to install when none fits.
 */
export async function findPython(chosen: string, env: Environment, cwd: string): Promise<Python> {
  if (chosen !== '') {
    const probe = await examine(chosen, env, cwd);
    if (probe === undefined) {
      throw new Failure(`${chosen} is not a Python that runs.`, 'Correct the setting fimble.server.python.');
    }
    return suitable([probe]);
  }
  const probes: Probe[] = [];
  for (const candidate of await candidates(env)) {
    const probe = await examine(candidate, env, cwd);
    // A virtual environment may vanish with its project, and ours with it.
    if (probe !== undefined && !probe.isVirtual) {
      probes.push(probe);
      if (probe.hasEnsurepip && isRecent(probe)) {
        return probe;
      }
    }
  }
  return suitable(probes);
}

function suitable(probes: readonly Probe[]): Python {
  const recent = probes.filter(isRecent);
  const whole = recent.find((probe) => probe.hasEnsurepip);
  if (whole !== undefined) {
    return whole;
  }
  if (recent[0] !== undefined) {
    const [major, minor] = recent[0].version;
    throw new Failure(
      `${recent[0].path} cannot make virtual environments: its ensurepip module is missing.`,
      `On Debian and Ubuntu: sudo apt install python${major}.${minor}-venv. Then run "fimble: Install or Repair Server".`,
    );
  }
  const found = probes.map((probe) => `${probe.path} (${probe.version.join('.')})`).join(', ');
  throw new Failure(
    `fimble needs Python ${OLDEST.join('.')} or newer; ${found === '' ? 'no Python was found' : `found ${found}`}.`,
    'Install one, or give its path in the setting fimble.server.python.',
  );
}

function isRecent({ version: [major, minor] }: Probe): boolean {
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

async function candidates(env: Environment): Promise<string[]> {
  const folders = [...new Set([...searchPath(env.PATH ?? ''), ...USUAL_FOLDERS])];
  const found: string[] = [];
  for (const name of NAMES) {
    for (const folder of folders) {
      const file = path.join(folder, process.platform === 'win32' ? `${name}.exe` : name);
      if (await isExecutable(file)) {
        found.push(file);
      }
    }
  }
  return found;
}

async function examine(file: string, env: Environment, cwd: string): Promise<Probe | undefined> {
  try {
    const { code, stdout } = await run(file, ['-I', '-c', PROBE], { env, cwd, timeoutMs: PROBE_TIMEOUT_MS });
    if (code !== 0) {
      return undefined;
    }
    const [major, minor, isVirtual, hasEnsurepip] = JSON.parse(stdout) as [number, number, boolean, boolean];
    return { path: file, version: [major, minor], isVirtual, hasEnsurepip };
  } catch {
    return undefined;
  }
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
