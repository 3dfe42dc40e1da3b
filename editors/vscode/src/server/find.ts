/** Decides which server to talk to: the user's own program, a running one, or fimble's own environment. */

import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import * as path from 'node:path';
import { Failure } from '../failure.js';

export type Server =
  | { readonly kind: 'program'; readonly path: string }
  | { readonly kind: 'socket'; readonly host: string; readonly port: number };

/** What the user's settings ask for; undefined leaves it to fimble's own environment. */
export async function chosenServer(programPath: string, address: string): Promise<Server | undefined> {
  if (address !== '') {
    return { kind: 'socket', ...readAddress(address) };
  }
  if (programPath === '') {
    return undefined;
  }
  const file = programPath.startsWith('~/') ? path.join(homedir(), programPath.slice(2)) : programPath;
  const correct = 'Correct the setting fimble.server.path, or clear it to let fimble install its own server.';
  if (!path.isAbsolute(file)) {
    throw new Failure(`fimble.server.path must be an absolute path, not "${programPath}".`, correct);
  }
  try {
    await access(file, constants.X_OK);
  } catch {
    throw new Failure(`${file} is not there or cannot be run.`, correct);
  }
  return { kind: 'program', path: file };
}

/** `host:port`, `[v6]:port`. Throws a Failure that shows the form. */
export function readAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new Failure(
      `"${address}" is not an address.`,
      'Write fimble.server.address as host:port, for example 127.0.0.1:7437.',
    );
  }
  return { host, port };
}

/** What pip installs: the user's wish, the wheel that came with the extension, or its version from the index. */
export function requirement(wish: string, bundledWheels: readonly string[], version: string): string {
  if (wish !== '') {
    return wish.startsWith('~/') ? path.join(homedir(), wish.slice(2)) : wish;
  }
  return bundledWheels[0] ?? `fimble==${version}`;
}
