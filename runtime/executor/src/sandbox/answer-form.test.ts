import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isAnswer } from './answer-form.js';

const answerOf = (res: string, encoding: BufferEncoding = 'latin1') =>
  Buffer.from(`{"ret_code":0,"res":"${res}","err":null}`, encoding);

describe('an answer', () => {
  it('may hold whatever bytes there are, as base64', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
        isAnswer(answerOf(Buffer.from(bytes).toString('base64'))),
      ),
    );
  });

  it.each([
    ['a text that ends, and more of it', '\n\xff\x00"},"x":{"a":"'],
    ['a quote', 'AAA"'],
    ['a backslash', 'AA\\n'],
    ['white space', 'AAA '],
    ['a line break', 'AAA\n'],
    ['a byte beyond ASCII', 'AAA\xff'],
    ['the alphabet of URLs', 'AA-_'],
    ['padding in the middle', 'A===AAAA'],
    ['three of padding', 'A==='],
    ['half a group', 'AAAAAA'],
  ])('is none with %s', (_name, res) => {
    expect(isAnswer(answerOf(res))).toBe(false);
  });

  it('is none when it is cut, of another form, or nothing', () => {
    const whole = answerOf('MQ==');
    for (let end = 0; end < whole.length; end += 1) expect(isAnswer(whole.subarray(0, end))).toBe(false);
    expect(isAnswer(Buffer.concat([whole, Buffer.from(' ')]))).toBe(false);
    expect(isAnswer(Buffer.from('{"ret_code":1,"res":"MQ==","err":null}'))).toBe(false);
    expect(isAnswer(whole)).toBe(true);
  });
});
