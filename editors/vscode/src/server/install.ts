/** fimble's own Python environment in the extension's storage: made, checked, made anew. */

import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { Failure } from '../failure.js';
import type { Environment } from './env.js';
import { withLock } from './lock.js';
import { pipFailure, pipStep } from './pip.js';
import { findPython } from './python.js';
import { run } from './run.js';

export interface Installation {
  /** Folder that belongs to this extension alone. */
  readonly storage: string;
  /** What pip installs: a requirement or a wheel's path. */
  readonly requirement: string;
  /** The user's choice of Python; empty for none. */
  readonly python: string;
  readonly env: Environment;
}

export interface Progress {
  readonly signal: AbortSignal;
  /** One short line for people. */
  readonly onStep: (step: string) => void;
  /** All that pip says. */
  readonly onLine: (line: string) => void;
}

/** The server's program, when this very requirement is installed whole; undefined otherwise. */
export async function installedServer(installation: Installation): Promise<string | undefined> {
  const folder = environmentFolder(installation.storage);
  try {
    const stamp = await readFile(stampFile(folder), 'utf8');
    if (stamp !== (await stampText(installation.requirement))) {
      return undefined;
    }
    await access(program(folder, 'fimble'));
    // A Python that was upgraded away leaves a dangling link behind.
    await access(program(folder, 'python'));
    return program(folder, 'fimble');
  } catch {
    return undefined;
  }
}

/**
 * Makes the environment anew and returns the server's program. What was there before is removed only once the
 * lock is held. Throws a Failure naming the cause; an unfinished environment is never taken for a whole one.
 */
export async function installServer(installation: Installation, progress: Progress): Promise<string> {
  const { storage, requirement, env } = installation;
  const lock = path.join(storage, 'install.lock');
  return withLock(lock, progress.signal, async () => {
    const done = await installedServer(installation);
    if (done !== undefined) {
      return done; // Another window was quicker.
    }
    progress.onStep('Looking for Python');
    const python = await findPython(installation.python, env, storage);
    const folder = environmentFolder(storage);
    await rm(folder, { recursive: true, force: true });
    await mkdir(storage, { recursive: true });

    const step = async (args: readonly string[], file: string): Promise<void> => {
      progress.onLine(`> ${[file, ...args].join(' ')}`);
      const { code, output } = await run(file, args, {
        // An environment of its own cannot take --user, whatever pip's configuration says.
        env: { ...env, PIP_USER: '0' },
        cwd: storage,
        signal: progress.signal,
        onLine: (line) => {
          progress.onLine(line);
          const words = pipStep(line);
          if (words !== undefined) {
            progress.onStep(words);
          }
        },
      });
      if (progress.signal.aborted) {
        throw new Failure('The installation was cancelled.', 'Run "fimble: Install or Repair Server" to try again.');
      }
      if (code !== 0) {
        throw pipFailure(output);
      }
    };
    progress.onStep(`Making an environment with Python ${python.version.join('.')}`);
    await step(['-I', '-m', 'venv', folder], python.path);
    progress.onStep('Fetching the server');
    await step(
      ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--progress-bar=off', requirement],
      program(folder, 'python'),
    );
    await access(program(folder, 'fimble')).catch(() => {
      throw new Failure(`${requirement} brought no fimble program.`, 'Correct the setting fimble.server.package.');
    });
    await writeFile(stampFile(folder), await stampText(requirement));
    return program(folder, 'fimble');
  });
}

/** Removes the environment, so that the next start makes it anew. */
export async function forgetServer(storage: string): Promise<void> {
  await rm(stampFile(environmentFolder(storage)), { force: true });
}

function environmentFolder(storage: string): string {
  return path.join(storage, 'server');
}

function stampFile(folder: string): string {
  return path.join(folder, 'installed-from');
}

/** Names the requirement; of a wheel the content too, since one path may hold another build tomorrow. */
async function stampText(requirement: string): Promise<string> {
  if (!path.isAbsolute(requirement)) {
    return requirement;
  }
  const wheel = await readFile(requirement);
  return `${requirement} ${createHash('sha256').update(wheel).digest('hex')}`;
}

function program(folder: string, name: string): string {
  return process.platform === 'win32'
    ? path.join(folder, 'Scripts', `${name}.exe`)
    : path.join(folder, 'bin', name);
}
