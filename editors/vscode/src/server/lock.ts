/** One installation at a time, across all windows of this machine. */

import { mkdir, open, readFile, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { Failure } from '../failure.js';

const POLL_MS = 500;

/** Runs `work` while holding `file`; a holder that has died is passed over. */
export async function withLock<T>(file: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true });
  while (!(await take(file))) {
    if (signal.aborted) {
      throw new Failure('The installation was cancelled.');
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function take(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
  }
  const text = await readFile(file, 'utf8').catch(() => '');
  // An empty file is one whose maker has not written its id yet.
  if (text !== '' && !isAlive(Number(text))) {
    await rm(file, { force: true });
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
