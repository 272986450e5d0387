import { describe, expect, it } from '@jest/globals';
import { buildFailure } from './answers.js';

describe('the answer to an execution that failed', () => {
  it.each([
    ['PY', 'gAVOLg=='],
    ['C', ''],
    ['JS', 'bnVsbA=='],
  ] as const)('has a result that a client of %s can decode', (language, res) => {
    expect(JSON.parse(buildFailure(language, 'function-error', 'Error: x').toString())).toEqual({
      ret_code: -1,
      res,
      err: 'function-error: Error: x',
    });
  });

  it('fits into the buffer of the C client whatever the text is', () => {
    expect(buildFailure('C', 'function-error', '\u0001'.repeat(8192)).length).toBeLessThan(29_999);
  });
});
