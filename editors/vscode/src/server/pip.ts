/** Reads pip: its lines as short steps, its failures as causes with a mend. */

import { Failure } from '../failure.js';

/** A line of pip's output as a step for people; undefined for lines that say nothing new. */
export function pipStep(line: string): string | undefined {
  const building = /^\s*Building wheel for (\S+)/.exec(line);
  if (building?.[1] !== undefined) {
    return `Compiling ${building[1]}; this can take ten minutes`;
  }
  const collecting = /^Collecting ([A-Za-z0-9._-]+)/.exec(line);
  if (collecting?.[1] !== undefined) {
    return `Fetching ${collecting[1]}`;
  }
  return line.startsWith('Installing collected packages') ? 'Installing' : undefined;
}

const RETRY = 'Then run "fimble: Install or Repair Server".';

const CAUSES: readonly (readonly [RegExp, string, string])[] = [
  [
    /No space left on device/i,
    'The disk is full: the server could not be installed.',
    `Free about 1 GB. ${RETRY}`,
  ],
  [
    /CMAKE_CXX_COMPILER|CMAKE_C_COMPILER|No CMAKE_|command '(gcc|g\+\+|cc|clang)' failed|Failed building wheel/i,
    'A part of the server (llama-cpp-python) has no prebuilt package here and could not be compiled.',
    'Install a C++ compiler (Debian, Ubuntu: sudo apt install build-essential), or point pip at an index with ' +
      `prebuilt wheels (PIP_EXTRA_INDEX_URL). ${RETRY}`,
  ],
  [
    /SSLError|CERTIFICATE_VERIFY_FAILED/i,
    'The package index could not be trusted: its certificate does not verify.',
    `Behind a company proxy, give pip its certificate: pip config set global.cert /path/to/ca.pem. ${RETRY}`,
  ],
  [
    /NewConnectionError|Name or service not known|name resolution|Connection refused|Network is unreachable|ConnectTimeout|ProxyError/i,
    'The package index could not be reached.',
    'Check the connection or pip\'s proxy and index (pip config list), or give a wheel in fimble.server.package. ' + RETRY,
  ],
  [
    /ensurepip is not\s|returned non-zero exit status.*ensurepip|No module named (?:venv|ensurepip)/i,
    'This Python cannot make virtual environments.',
    `Debian, Ubuntu: sudo apt install python3-venv. ${RETRY}`,
  ],
  [
    /Permission denied|EACCES/i,
    'The server could not be written to its folder: permission denied.',
    `Check the owner of the folder named in the output. ${RETRY}`,
  ],
  [
    /No matching distribution found|Could not find a version/i,
    'The package index has no fimble that fits.',
    `Check pip's index (pip config list), or give a wheel's path in the setting fimble.server.package. ${RETRY}`,
  ],
];

/** The cause behind a failed pip, or its last words when none is known. */
export function pipFailure(output: string): Failure {
  for (const [pattern, message, mend] of CAUSES) {
    if (pattern.test(output)) {
      return new Failure(message, mend);
    }
  }
  const lastError = output
    .split('\n')
    .reverse()
    .find((line) => /error/i.test(line));
  return new Failure(
    `The server could not be installed: ${lastError?.trim() ?? 'pip gave no reason'}`,
    'All that pip said is in the output channel "fimble".',
  );
}
