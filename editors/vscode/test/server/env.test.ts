import { expect, test } from 'vitest';
import { ownEnvironment, searchPath } from '../../src/server/env.js';

test("a project's programs and an activated environment leave PATH", () => {
  const env = ownEnvironment(
    { PATH: '/home/a/project/node_modules/.bin:/home/a/venv/bin:/usr/bin:/home/a/project-two/bin', VIRTUAL_ENV: '/home/a/venv' },
    ['/home/a/project'],
  );
  expect(env.PATH).toBe('/usr/bin:/home/a/project-two/bin');
  expect(env.VIRTUAL_ENV).toBeUndefined();
});

test('relative folders of PATH are dropped: they mean the project', () => {
  expect(searchPath('.:bin::/usr/bin')).toEqual(['/usr/bin']);
});

test("what would redirect Python or pip goes, pip's configuration stays", () => {
  const env = ownEnvironment(
    { PATH: '/usr/bin', PYTHONPATH: '.', PYTHONHOME: '/x', PIP_TARGET: '/x', PIP_INDEX_URL: 'https://mirror/', LANG: 'C' },
    [],
  );
  expect(env).toEqual({ PATH: '/usr/bin', PIP_INDEX_URL: 'https://mirror/', LANG: 'C', PYTHONSAFEPATH: '1' });
});

test('undefined variables are not turned into text', () => {
  expect(ownEnvironment({ PATH: '/usr/bin', NOTHING: undefined }, [])).not.toHaveProperty('NOTHING');
});
