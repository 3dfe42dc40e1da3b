/** Runs a program to its end: lines as they come, stoppable with all its children. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Environment } from './env.js';

export interface RunOptions {
  readonly env: Environment;
  readonly cwd: string;
  readonly timeoutMs?: number;
  /** Aborting ends the program and everything it started. */
  readonly signal?: AbortSignal;
  readonly onLine?: (line: string) => void;
}

export interface RunResult {
  /** Null when a signal ended the program. */
  readonly code: number | null;
  readonly stdout: string;
  /** Both streams, in the order of arrival. */
  readonly output: string;
  readonly timedOut: boolean;
}

/**
 * Ends the whole group when our end of stdin closes: pip and its compilers must not outlive the editor, however it
 * ended. The watcher keeps no stream of the program open.
 */
const TIED = 'exec 3<&0; (cat <&3; kill -TERM 0) >/dev/null 2>&1 & "$@" </dev/null 3<&-';

/** A program that cannot be started ends with code 127, as in a shell. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const isWindows = process.platform === 'win32';
    const [file, words] = isWindows ? [command, args] : ['/bin/sh', ['-c', TIED, 'sh', command, ...args]];
    const child = spawn(file, words, { env: options.env, cwd: options.cwd, stdio: 'pipe', detached: !isWindows });
    child.stdin.on('error', () => undefined);
    let timedOut = false;
    const end = (): void => {
      try {
        if (child.pid !== undefined && !isWindows) {
          process.kill(-child.pid, 'SIGTERM');
        } else {
          child.kill();
        }
      } catch {
        // It had ended already.
      }
    };
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            end();
          }, options.timeoutMs);
    options.signal?.addEventListener('abort', end, { once: true });
    const stdout: string[] = [];
    const output: string[] = [];
    const take = (line: string, isStdout: boolean): void => {
      output.push(line);
      if (isStdout) {
        stdout.push(line);
      }
      options.onLine?.(line);
    };
    createInterface(child.stdout).on('line', (line) => {
      take(line, true);
    });
    createInterface(child.stderr).on('line', (line) => {
      take(line, false);
    });
    const settle = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', end);
    };
    child.on('error', (error) => {
      settle();
      reject(error);
    });
    child.on('exit', () => {
      child.stdin.destroy();
    });
    child.on('close', (code) => {
      settle();
      resolve({ code, stdout: stdout.join('\n'), output: output.join('\n'), timedOut });
    });
    if (options.signal?.aborted === true) {
      end();
    }
  });
}
