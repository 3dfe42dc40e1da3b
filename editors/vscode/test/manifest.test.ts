import { existsSync, readFileSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.join(__dirname, '..');
const read = (name: string) => readFileSync(path.join(ROOT, name), 'utf8');

interface Walkthrough {
  steps: { media: { markdown?: string; image?: string }; completionEvents?: string[]; description: string }[];
}
interface Manifest {
  engines: { vscode: string };
  icon: string;
  devDependencies: Record<string, string>;
  enabledApiProposals?: string[];
  contributes: {
    commands: { command: string }[];
    menus: Record<string, { command: string }[]>;
    walkthroughs: Walkthrough[];
  };
}
const manifest = JSON.parse(read('package.json')) as Manifest;
const contributed = manifest.contributes.commands.map(({ command }) => command);

test('the palette offers exactly what commands.ts registers', () => {
  const registered = [...read('src/commands.ts').matchAll(/^ {4}'(fimble\.\w+)':/gm)].map((match) => match[1]);
  expect(new Set(contributed)).toEqual(new Set(registered));
});

test('menus and walkthrough name commands that exist', () => {
  const named = Object.values(manifest.contributes.menus).flat();
  const linked = manifest.contributes.walkthroughs
    .flatMap(({ steps }) => steps)
    .flatMap(({ description }) => [...description.matchAll(/\(command:(fimble\.\w+)\)/g)].map((match) => match[1]));
  for (const command of [...named.map((entry) => entry.command), ...linked]) {
    expect(contributed).toContain(command);
  }
});

test('pictures and pages of the manifest exist', () => {
  const pages = manifest.contributes.walkthroughs.flatMap(({ steps }) =>
    steps.map(({ media }) => media.markdown ?? media.image ?? 'missing'),
  );
  for (const file of [manifest.icon, ...pages]) {
    expect(existsSync(path.join(ROOT, file)), file).toBe(true);
  }
});

test('the name that the client registers for the server is not taken', () => {
  expect(contributed).not.toContain('fimble.accepted');
});

// Stock VS Code refuses a provider that merely has these; the test editor's own check is patched away.
test('no proposed API', () => {
  expect(manifest.enabledApiProposals).toBeUndefined();
  const sources = readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  for (const source of sources.filter((name) => name.endsWith('.ts'))) {
    expect(read(path.join('src', source)), source).not.toMatch(/handleDid|handleEndOfLifetime|handleListEnd/);
  }
});

test('types are those of the oldest VS Code that is promised', () => {
  expect(manifest.engines.vscode).toBe(`^${manifest.devDependencies['@types/vscode'] ?? ''}`);
});

test("the licence is the project's", () => {
  expect(read('LICENSE')).toBe(read('../../LICENSE'));
});

test('the lockfile names no registry', () => {
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { resolved?: string }> };
  const resolved = Object.entries(lock.packages).filter(([, { resolved: url }]) => url !== undefined);
  expect(resolved).toEqual([]);
  expect(read('package-lock.json')).not.toMatch(/registry\./);
  expect(read('.npmrc')).toContain('omit-lockfile-registry-resolved=true');
});
