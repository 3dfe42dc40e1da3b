/** What `fimble stats` counts: a page in a panel, and today's acceptance for the status bar. */

import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { Failure } from './failure.js';
import { runProgram, type ProgramParts } from './program.js';
import type { Acceptance } from './status.js';

/** Not oftener than this while suggestions come: each time starts a small program. */
const REFRESH_MS = 120_000;

/** Opens the page. Throws a Failure when there is no program to make it. */
export async function showStatistics(parts: ProgramParts): Promise<void> {
  const file = path.join(parts.storage, 'statistics.html');
  const { code, output } = await runProgram(parts, ['stats', '--html', file]);
  if (code !== 0) {
    throw new Failure(`The statistics could not be made: ${output}`);
  }
  // The page has no scripts, and forbids them itself.
  const options = { enableScripts: false, localResourceRoots: [] };
  const panel = vscode.window.createWebviewPanel('fimble.statistics', 'fimble: Statistics', vscode.ViewColumn.Active, options);
  panel.webview.html = themed(await readFile(file, 'utf8'));
}

/** The page in the colours of the user's theme; by itself it follows the system's. */
export function themed(html: string): string {
  const colours = {
    paper: 'editor-background',
    card: 'editorWidget-background',
    ink: 'editor-foreground',
    soft: 'descriptionForeground',
    line: 'editorWidget-border',
    a: 'charts-blue',
    b: 'charts-orange',
  };
  const rules = Object.entries(colours).map(([name, colour]) => `--${name}: var(--vscode-${colour});`);
  return html.replace('</head>', `<style>:root { ${rules.join(' ')} }</style></head>`);
}

/** Keeps today's acceptance current while suggestions come. */
export class AcceptanceWatch implements vscode.Disposable {
  readonly #parts: ProgramParts;
  readonly #changed = new vscode.EventEmitter<Acceptance>();
  #timer: NodeJS.Timeout | undefined;

  readonly onChange = this.#changed.event;

  constructor(parts: ProgramParts) {
    this.#parts = parts;
  }

  /** Suggestions were shown: counts will have changed. */
  refreshSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.refresh();
    }, REFRESH_MS);
  }

  /** Counts now. Without a program on this side there is nothing to show, and that is no error. */
  async refresh(): Promise<void> {
    try {
      const { code, stdout } = await runProgram(this.#parts, ['stats', '--since', localDay(new Date()), '--json']);
      const acceptance = code === 0 ? readAcceptance(stdout) : undefined;
      if (acceptance !== undefined) {
        this.#changed.fire(acceptance);
      }
    } catch {
      // A server elsewhere, or none yet.
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#changed.dispose();
  }
}

/** The totals of `fimble stats --json`; undefined when they are not there. */
export function readAcceptance(json: string): Acceptance | undefined {
  try {
    const { total } = JSON.parse(json) as { total?: { shown?: unknown; accepted?: unknown } };
    if (typeof total?.shown === 'number' && typeof total.accepted === 'number') {
      return { shown: total.shown, accepted: total.accepted };
    }
  } catch {
    // Not JSON.
  }
  return undefined;
}

/** YYYY-MM-DD where the user is. */
export function localDay(moment: Date): string {
  const two = (part: number): string => String(part).padStart(2, '0');
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}
