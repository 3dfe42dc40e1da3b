import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/**/*.test.ts'], pool: 'threads', maxWorkers: 1, testTimeout: 120_000 },
  resolve: { alias: { vscode: new URL('./test/vscode.ts', import.meta.url).pathname } },
});
