/** Runs the server's own program for one short job beside the conversation with it. */

import { Failure } from './failure.js';
import type { Provision } from './provision.js';
import { run, type RunResult } from './server/run.js';
import { windowEnvironment } from './window.js';

const TIMEOUT_MS = 60_000;

export interface ProgramParts {
  readonly provision: Provision;
  readonly storage: string;
}

/** `fimble ARGS...`. Throws a Failure when there is no program on this side. */
export async function runProgram(
  parts: ProgramParts,
  args: readonly string[],
): Promise<RunResult> {
  const server = await parts.provision.locate();
  if (server?.kind !== 'program') {
    throw new Failure(
      server === undefined ? 'The fimble server is not installed.' : 'The server runs elsewhere.',
      server === undefined ? 'Run "fimble: Install or Repair Server".' : `There, run: fimble ${args.join(' ')}`,
    );
  }
  const { path } = server;
  return run(path, args, { env: windowEnvironment(), cwd: parts.storage, timeoutMs: TIMEOUT_MS });
}
