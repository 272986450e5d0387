import { describe, expect, it } from '@jest/globals';
import { countOf, numberOf } from './action.js';

describe('numbers of a command line', () => {
  it.each(['-1', '0', '1.5', 'x', '', ' ', '1e99'])('a count says what it may be: %j', (word) => {
    expect(() => countOf('the number of runtimes', word)).toThrow(
      `the number of runtimes must be a whole number from 1 up, not "${word}"`,
    );
  });

  it('others say whether it was a number at all', () => {
    expect(() => numberOf('--seconds', '-1')).toThrow('--seconds must be a number from 0 up, not "-1"');
    expect(() => numberOf('--seconds', 'soon')).toThrow('--seconds must be a number, not "soon"');
    expect([numberOf('--seconds', '0.5'), countOf('--max', '64')]).toEqual([0.5, 64]);
  });
});
