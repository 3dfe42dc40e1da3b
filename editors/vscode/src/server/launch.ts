/** Opens the connection to a server: starts its program, or dials its socket. */

import { spawn, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { Failure } from '../failure.js';
import type { Environment } from './env.js';
import type { Server } from './find.js';

const CONNECT_TIMEOUT_MS = 10_000;
const TERMINATE_AFTER_MS = 2_000;
const KILL_AFTER_MS = 5_000;
const N_LAST_LINES = 12;

export interface Connection {
  readonly reader: Readable;
  readonly writer: Writable;
  /** Why the connection ended, in a sentence. Settles once it has. */
  readonly ended: Promise<string>;
  /** Makes sure that a program we started ends; a server at a socket is left alone. */
  readonly close: () => void;
}

export interface LaunchOptions {
  readonly env: Environment;
  readonly cwd: string;
  /** What the server writes to stderr. */
  readonly onLine: (line: string) => void;
}

export function launch(server: Server, options: LaunchOptions): Promise<Connection> {
  return server.kind === 'program' ? start(server.path, options) : dial(server.host, server.port);
}

function start(file: string, { env, cwd, onLine }: LaunchOptions): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, ['serve', '--stdio'], { env, cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    const lastLines: string[] = [];
    createInterface(child.stderr).on('line', (line) => {
      onLine(line);
      lastLines.push(line);
      lastLines.splice(0, Math.max(0, lastLines.length - N_LAST_LINES));
    });
    // Writing to a server that has just ended must not end the extension host; `close` below reports it.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => {
      reject(new Failure(`${file} could not be started: ${error.message}.`, 'Run "fimble: Examine This Installation".'));
    });
    child.on('spawn', () => {
      resolve({
        reader: child.stdout,
        writer: child.stdin,
        ended: new Promise((settle) => {
          child.on('close', (code, signal) => {
            settle(endSentence(code, signal, lastLines));
          });
        }),
        close: () => {
          endSoon(child);
        },
      });
    });
  });
}

function endSentence(code: number | null, signal: NodeJS.Signals | null, lastLines: readonly string[]): string {
  const how = signal === null ? `ended with code ${code ?? 0}` : `was ended by ${signal}`;
  const last = lastLines.filter((line) => line.trim() !== '').at(-1);
  return `The server ${how}${last === undefined ? '' : `: ${last.trim()}`}.`;
}

/** The protocol's own exit comes first; this is for a server that does not heed it. */
function endSoon(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const timers = [
    setTimeout(() => child.kill('SIGTERM'), TERMINATE_AFTER_MS),
    setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS),
  ];
  child.once('exit', () => {
    timers.forEach(clearTimeout);
  });
}

function dial(host: string, port: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const fail = (why: string): void => {
      socket.destroy();
      reject(
        new Failure(
          `No server answers at ${host}:${port} (${why}).`,
          `Start one there with: fimble serve --tcp ${host}:${port}. Or clear the setting fimble.server.address.`,
        ),
      );
    };
    socket.once('error', (error) => {
      fail(error.message);
    });
    socket.once('timeout', () => {
      fail('no answer in time');
    });
    socket.once('connect', () => {
      socket.removeAllListeners('error').removeAllListeners('timeout').setTimeout(0);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      resolve({
        reader: socket,
        writer: socket,
        ended: new Promise((settle) => {
          socket.once('close', () => {
            settle(`The connection to ${host}:${port} was closed.`);
          });
        }),
        close: () => socket.destroy(),
      });
    });
  });
}
