/** The environment that fimble's own programs run in: the user's, without what ties it to one project's Python. */

import * as path from 'node:path';

export type Environment = Record<string, string>;

/** Each of these would make Python, or pip, work on something else than fimble's own environment. */
const REMOVED = [
  'PYTHONHOME',
  'PYTHONPATH',
  'PYTHONSTARTUP',
  'PYTHONEXECUTABLE',
  'VIRTUAL_ENV',
  'VIRTUAL_ENV_PROMPT',
  'PIP_TARGET',
  'PIP_PREFIX',
  'PIP_ROOT',
  'PIP_PYTHON',
];

/**
 * `workspaceFolders` are absolute paths. Programs inside them, and in an activated virtual environment, leave PATH:
 * what a project brings along must not be run by opening it. Everything else stays, pip's configuration included.
 */
export function ownEnvironment(
  base: Readonly<Record<string, string | undefined>>,
  workspaceFolders: readonly string[],
): Environment {
  const forbidden = [...workspaceFolders, base.VIRTUAL_ENV ?? ''].filter((folder) => folder !== '');
  const env: Environment = {};
  for (const [name, value] of Object.entries(base)) {
    if (value !== undefined && !REMOVED.includes(name)) {
      env[name] = value;
    }
  }
  env.PATH = searchPath(base.PATH ?? '')
    .filter((folder) => !forbidden.some((root) => isInside(folder, root)))
    .join(path.delimiter);
  // The server must not import from the folder it happens to start in.
  env.PYTHONSAFEPATH = '1';
  return env;
}

/** The absolute folders of a PATH value. Relative ones would mean "whatever lies in the project". */
export function searchPath(value: string): string[] {
  return value.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
}

function isInside(folder: string, root: string): boolean {
  const relative = path.relative(root, folder);
  return relative === '' || (!relative.startsWith('..') && !path.isAbsolute(relative));
}
