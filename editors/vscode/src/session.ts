/** One connection to a server at a time: start, watch, start again when it ends, stop. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { Backoff } from './backoff.js';
import { createClient } from './client.js';
import type { Notice, Provide } from './completion.js';
import { Failure, asFailure } from './failure.js';
import type { Server } from './server/find.js';
import { type Connection, launch } from './server/launch.js';
import { isReady, type Lifecycle } from './status.js';
import { windowEnvironment } from './window.js';

const GIVE_UP_MEND = 'The output channel "fimble" has what it said last.';
const START_TIMEOUT_MS = 60_000;
/** A pipe may close a moment before the process is known to have ended. */
const END_GRACE_MS = 2_000;

export interface SessionParts {
  readonly output: vscode.LogOutputChannel;
  /** Where programs of ours run: never the user's folders. */
  readonly storage: string;
  /** Finds the server to start; undefined when there is none yet. */
  readonly locate: () => Promise<Server | undefined>;
  readonly provide: Provide;
}

interface Life {
  readonly client: LanguageClient;
  readonly connection: Connection;
}

export class Session implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<Lifecycle>();
  readonly #ready = new vscode.EventEmitter<void>();
  readonly #told = new vscode.EventEmitter<void>();
  readonly #backoff = new Backoff();
  readonly #parts: SessionParts;
  #lifecycle: Lifecycle = { kind: 'starting' };
  #life: Life | undefined;
  #queue: Promise<void> = Promise.resolve();
  #restartTimer: NodeJS.Timeout | undefined;

  /** Fires after every change of `lifecycle`. */
  readonly onChange = this.#changed.event;
  /** Fires when completions can be had that could not before. */
  readonly onReady = this.#ready.event;
  /** Fires when the server has been told settings. */
  readonly onSettingsTold = this.#told.event;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  get lifecycle(): Lifecycle {
    return this.#lifecycle;
  }

  /** Shows a stage that lies outside this session's own work, such as an installation. */
  show(lifecycle: Lifecycle): void {
    this.#set(lifecycle);
  }

  /** Ends the present server, if any, and starts anew. */
  restart(): Promise<void> {
    this.#backoff.reset();
    return this.#enqueue(async () => {
      await this.#end();
      await this.#begin();
    });
  }

  /** Ends the server and stays so. */
  stop(): Promise<void> {
    return this.#enqueue(() => this.#end());
  }

  /** Runs one of the server's commands. Throws a Failure when there is no server, or it refuses. */
  async call(command: string, ...args: readonly unknown[]): Promise<unknown> {
    if (this.#life === undefined || this.#lifecycle.kind !== 'running') {
      throw new Failure('The fimble server is not running.', 'Run "fimble: Restart Server".');
    }
    try {
      return await this.#life.client.sendRequest<unknown>('workspace/executeCommand', { command, arguments: args });
    } catch (error) {
      throw asFailure(error);
    }
  }

  /** Tells the server something; without one there is nobody to tell. */
  notify({ method, params }: Notice): void {
    if (this.#lifecycle.kind === 'running') {
      void this.#life?.client.sendNotification(method, params).catch(() => undefined);
    }
  }

  dispose(): void {
    clearTimeout(this.#restartTimer);
    this.#changed.dispose();
    this.#ready.dispose();
    this.#told.dispose();
  }

  async #begin(): Promise<void> {
    this.#set({ kind: 'starting' });
    let connection: Connection;
    try {
      const server = await this.#parts.locate();
      if (server === undefined) {
        this.#set({ kind: 'absent' });
        return;
      }
      this.#parts.output.info(`Server: ${server.kind === 'program' ? server.path : `${server.host}:${server.port}`}`);
      connection = await launch(server, {
        env: windowEnvironment(),
        cwd: this.#parts.storage,
        onLine: (line) => {
          this.#parts.output.info(line);
        },
      });
    } catch (error) {
      this.#giveUp(asFailure(error));
      return;
    }
    await this.#live(connection);
  }

  async #live(connection: Connection): Promise<void> {
    const client = createClient(connection, this.#parts.output, {
      provide: this.#parts.provide,
      onSettingsTold: () => {
        this.#told.fire();
      },
      onStatus: (status) => {
        if (this.#life?.client === client) {
          this.#set({ kind: 'running', status });
        }
      },
    });
    const life = { client, connection };
    this.#life = life;
    const ended = connection.ended.then((reason) => {
      this.#lost(life, reason);
    });
    try {
      await within(START_TIMEOUT_MS, Promise.race([client.start(), ended]));
    } catch (error) {
      await within(END_GRACE_MS, ended).catch(() => undefined);
      if (this.#life === life) {
        this.#life = undefined;
        connection.close();
        this.#giveUp(new Failure(`The fimble server did not start: ${asFailure(error).message}`, GIVE_UP_MEND));
      }
    }
  }

  async #end(): Promise<void> {
    clearTimeout(this.#restartTimer);
    const life = this.#life;
    this.#life = undefined;
    if (life !== undefined) {
      await life.client.dispose().catch(() => undefined);
      life.connection.close();
    }
  }

  /** The server ended by itself. Ends that we asked for have cleared `#life` before. */
  #lost(life: Life, reason: string): void {
    if (this.#life !== life) {
      return;
    }
    this.#life = undefined;
    void life.client.dispose().catch(() => undefined);
    this.#parts.output.warn(reason);
    const delayMs = this.#backoff.next(Date.now());
    if (delayMs === undefined) {
      this.#giveUp(new Failure(`The fimble server ended again and again. ${reason}`, GIVE_UP_MEND));
      return;
    }
    this.#set({ kind: 'restarting', reason: `${reason} Starting it again.` });
    this.#restartTimer = setTimeout(() => {
      void this.#enqueue(() => this.#begin());
    }, delayMs);
  }

  #giveUp(failure: Failure): void {
    this.#parts.output.error(failure.sentence);
    this.#set({ kind: 'stopped', failure });
    void vscode.window.showErrorMessage(failure.sentence, 'Restart', 'Show Output').then((choice) => {
      if (choice === 'Restart') {
        void this.restart();
      } else if (choice === 'Show Output') {
        this.#parts.output.show();
      }
    });
  }

  #set(lifecycle: Lifecycle): void {
    const wasReady = isReady(this.#lifecycle);
    this.#lifecycle = lifecycle;
    this.#changed.fire(lifecycle);
    if (!wasReady && isReady(lifecycle)) {
      this.#ready.fire();
    }
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work);
    this.#queue = done.catch((error: unknown) => {
      this.#parts.output.error(asFailure(error).message);
    });
    return done;
  }
}

function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Failure(`no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
}
