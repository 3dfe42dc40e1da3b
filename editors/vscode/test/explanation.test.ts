import { describe, expect, it } from 'vitest';
import { pageOf } from '../src/explanation.js';

describe('pageOf', () => {
  it('takes the page out of the answer', () => {
    expect(pageOf({ n_tokens: 1, markdown: '# Page\n' })).toBe('# Page\n');
  });

  it.each([null, undefined, 'text', {}, { markdown: 3 }])('says so when there is none: %j', (answer) => {
    expect(() => pageOf(answer)).toThrow('explained nothing');
  });
});
