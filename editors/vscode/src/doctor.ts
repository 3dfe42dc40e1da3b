/** `fimble doctor` in the output channel. */

import type * as vscode from 'vscode';
import { runProgram, type ProgramParts } from './program.js';

interface DoctorParts extends ProgramParts {
  readonly output: vscode.LogOutputChannel;
}

/** Throws a Failure when there is no program to ask. */
export async function examine(parts: DoctorParts): Promise<void> {
  const { output, timedOut } = await runProgram(parts, ['doctor']);
  parts.output.appendLine(output);
  if (timedOut) {
    parts.output.appendLine('(no end within a minute: stopped)');
  }
  parts.output.show();
}
