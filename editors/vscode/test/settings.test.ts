import { beforeEach, expect, test } from 'vitest';
import { explicitSettings, languageList, setEnabled, setLanguageEnabled } from '../src/settings.js';
import { settings } from './vscode.js';

beforeEach(() => {
  settings.clear();
  settings.set('fimble.completion.enabled', { default: true });
  settings.set('fimble.completion.disabled_languages', { default: '' });
  settings.set('fimble.model.id', { default: 'small' });
  settings.set('fimble.server.path', { default: '' });
  settings.set('fimble.trace.server', { default: 'off' });
});

test('defaults are not told: they would overrule the configuration file', () => {
  expect(explicitSettings()).toEqual({});
});

test('what the user set is told, even where it equals the default', () => {
  settings.set('fimble.model.id', { default: 'small', globalValue: 'small' });
  settings.set('fimble.completion.enabled', { default: true, workspaceValue: false });
  expect(explicitSettings()).toEqual({ 'model.id': 'small', 'completion.enabled': false });
});

test('a setting of a newer server that the manifest does not know is told', () => {
  settings.set('fimble.novel.deep.option', { globalValue: 3 });
  expect(explicitSettings()).toEqual({ 'novel.deep.option': 3 });
});

test("the client's own settings are not told", () => {
  settings.set('fimble.server.path', { default: '', globalValue: '/opt/fimble' });
  settings.set('fimble.trace.server', { default: 'off', globalValue: 'verbose' });
  expect(explicitSettings()).toEqual({});
});

test('turning off writes user settings', async () => {
  await setEnabled(false);
  expect(settings.get('fimble.completion.enabled')).toEqual({ default: true, globalValue: false });
});

test('turning on writes where the workspace has said otherwise', async () => {
  settings.set('fimble.completion.enabled', { default: true, globalValue: true, workspaceValue: false });
  await setEnabled(true);
  expect(settings.get('fimble.completion.enabled')?.workspaceValue).toBe(true);
});

/** A server whose configuration file switches these off. */
const having = (...ids: string[]) => ({ disabledLanguages: () => Promise.resolve(ids) });
const list = () => settings.get('fimble.completion.disabled_languages')?.globalValue;

test('languages are added once and removed wherever they stand', async () => {
  await setLanguageEnabled('python', false, having());
  await setLanguageEnabled('rust', false, having());
  await setLanguageEnabled('python', false, having());
  expect(list()).toBe('rust,python');
  await setLanguageEnabled('rust', true, having());
  expect(list()).toBe('python');
  await setLanguageEnabled('python', true, having());
  expect(list()).toBe('');
});

test.each([
  ['markdown', true, 'plaintext'],
  ['python', false, 'markdown,plaintext,python'],
])("turning %s %j leaves the configuration file's other languages off", async (languageId, enabled, expected) => {
  await setLanguageEnabled(languageId, enabled, having('markdown', 'plaintext'));
  expect(list()).toBe(expected);
});

test('a list that is set here is gone on from', async () => {
  settings.set('fimble.completion.disabled_languages', { default: '', globalValue: '' });
  await setLanguageEnabled('python', false, having('markdown'));
  expect(list()).toBe('python');
});

test.each([
  ['', []],
  [' python , ,rust', ['python', 'rust']],
])('language list %j', (text, expected) => {
  expect(languageList(text)).toEqual(expected);
});
