/**
 * Runs a scenario's checks in a workbench: `node run.mjs SETUP.json`, where SETUP is workbench.mjs's Setup plus
 * `scenario` (a module of this folder) and `results` (where the outcome of each check is written, as JSON).
 */

import fs from 'node:fs';
import { Workbench } from './workbench.mjs';

const setup = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const scenario = await import(`./${setup.scenario}.mjs`);
const results = {};
const started = Date.now();
const say = (text) => console.log(`[${((Date.now() - started) / 1000).toFixed(1)} s] ${text}`);

const bench = await Workbench.open({ ...setup, files: scenario.files });
try {
  say(await bench.status());
  await scenario.begin?.(bench);
  for (const [name, check] of Object.entries(scenario.checks)) {
    if (setup.only && !name.includes(setup.only)) continue;
    try {
      await check(bench);
      results[name] = 'passed';
    } catch (error) {
      results[name] = error.stack;
      await bench.screenshot(`failed-${name.replaceAll(/\W+/g, '-')}`);
      // The next check must not meet this one's dialogs.
      await bench.press('Escape', 'Escape');
    }
    say(`${name}: ${results[name]}`);
  }
} finally {
  say(`page errors: ${JSON.stringify(bench.pageErrors)}`);
  await bench.close();
  fs.writeFileSync(setup.results, JSON.stringify(results, null, 2));
}
