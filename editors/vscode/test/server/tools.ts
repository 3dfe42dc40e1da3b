/** Temporary folders, small programs and wheels for tests of src/server. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll } from 'vitest';

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Is removed when the tests of the file have run. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'fimble-'));
  folders.push(folder);
  return folder;
}

/** An executable shell script. */
export function script(folder: string, name: string, body: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return file;
}

const WHEEL = `
import sys, zipfile
folder, version, program = sys.argv[1:]
info = f"fimble-{version}.dist-info"
with zipfile.ZipFile(f"{folder}/fimble-{version}-py3-none-any.whl", "w") as wheel:
    wheel.writestr("fimble_stub.py", f"def main(): print('fimble {version}')\\n")
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: fimble\\nVersion: {version}\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    if program:
        wheel.writestr(f"{info}/entry_points.txt", f"[console_scripts]\\n{program} = fimble_stub:main\\n")
    wheel.writestr(f"{info}/RECORD", "")
`;

/** A real wheel named fimble, whose program prints its version. */
export function makeWheel(folder: string, version: string, program = 'fimble'): string {
  execFileSync('python3', ['-c', WHEEL, folder, version, program]);
  return path.join(folder, `fimble-${version}-py3-none-any.whl`);
}
