import { describe, expect, it } from '@jest/globals';
import { parseResult } from './parse-result.js';

const unreadable = { retCode: -1, res: undefined, err: 'The runtime sent a result that cannot be read' };

describe('what a runtime says of an execution', () => {
  it('is recorded as it says', () => {
    const result = Buffer.from('{"ret_code":0,"res":"MQ==","err":null}');
    const expected = { status: 'succeeded', retCode: 0, res: 'MQ==', err: undefined };
    expect(parseResult({ status: 'succeeded', result })).toEqual(expected);
  });

  it.each(['', '{"ret_code":0,"res":"\n', '{"ret_code":0}', '[]'])(
    'is never a success with a result that cannot be read: %j',
    (text) => {
      const result = Buffer.from(text);
      expect(parseResult({ status: 'succeeded', result })).toEqual({ status: 'failed', ...unreadable });
      expect(parseResult({ status: 'cancelled', result })).toEqual({ status: 'cancelled', ...unreadable });
    },
  );
});
