import { type PythonValue, readPickle, writePickle } from '@gantry/client';
import { describe, expect, it } from '@jest/globals';
import { encodeParameter, parseForPython, readResult, toJsonValue } from './function-values.js';

const decode = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
const resultOf = (value: Parameters<typeof writePickle>[0]) =>
  readResult('PY', Buffer.from(writePickle(value)).toString('base64'));

describe('parameters', () => {
  it('are JSON, or else texts, in the language of the function', () => {
    expect(Buffer.from(encodeParameter('JS', '{"a": [1]}'), 'base64').toString()).toBe('{"a":[1]}');
    expect(Buffer.from(encodeParameter('JS', 'hello'), 'base64').toString()).toBe('"hello"');
    expect(readPickle(decode(encodeParameter('PY', '{"a": [1, null, true]}')))).toEqual({
      a: [1, null, true],
    });
    expect(readPickle(decode(encodeParameter('PY', 'hello')))).toBe('hello');
    expect(() => encodeParameter('PY', '{"a": ')).toThrow(/not valid JSON/);
    expect(() => encodeParameter('JS', "[it's")).toThrow(`quote it as a JSON string: '"[it'\\''s"'`);
    expect(Buffer.from(encodeParameter('JS', '"[it\'s"'), 'base64').toString()).toBe('"[it\'s"');
    expect(() => encodeParameter('C', '1')).toThrow(/EdgeClient\.execute/);
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(() => encodeParameter('PY', deep)).toThrow(/more than 500 levels deep/);
    expect(() => encodeParameter('JS', deep)).toThrow(/cannot be written as JSON/);
  });

  it('for Python keep floats and long integers', () => {
    const opcodeOf = (json: string) => writePickle(parseForPython(json))[2];
    expect(['2', '2.0', '2e0', '-7'].map(opcodeOf)).toEqual([0x8a, 0x47, 0x47, 0x8a]);
    const long = '12345678901234567890';
    expect(readPickle(writePickle(parseForPython(`[${long}, "${long}", "t\\"1"]`)))).toEqual([
      12345678901234567890n,
      long,
      't"1',
    ]);
    const keys = '{"1": 2, "n": "n", "__proto__": 3}';
    expect(Object.entries(readPickle(writePickle(parseForPython(keys))) as object)).toEqual([
      ['1', 2],
      ['n', 'n'],
      ['__proto__', 3],
    ]);
  });
});

describe('results', () => {
  it('of Python are shown as JSON, as near as JSON comes', () => {
    expect(resultOf({ a: [1, 'x', null, 0.5, true] }).text).toBe('{"a":[1,"x",null,0.5,true]}');
    expect(resultOf(undefined)).toEqual({ value: null, text: 'null' });
    expect(resultOf(2n ** 64n).value).toBe('18446744073709551616');
    expect(resultOf([Number.NaN, -Infinity]).value).toEqual(['NaN', '-Infinity']);
    expect(resultOf(Uint8Array.from([1, 2])).value).toBe('AQI=');
    expect(resultOf(new Set([1])).value).toEqual([1]);
    expect(resultOf(new Map([[[1, 2], new Map([[3, 'x']])]] as never)).value).toEqual({
      '[1,2]': { 3: 'x' },
    });
  });

  it('that JSON cannot say are refused instead of written without end', () => {
    const itself: PythonValue[] = [];
    itself.push(itself);
    expect(() => toJsonValue(itself)).toThrow(/contains itself/);
    // A list that is its own element, as pickle writes it.
    const res = Buffer.from('\x80\x04]\x94h\x00a.', 'latin1').toString('base64');
    expect(() => readResult('PY', res, 'fe.1')).toThrow(
      expect.objectContaining({ code: 'unreadable-result', executionId: 'fe.1' }),
    );
    let doubled: PythonValue = 1;
    for (let round = 0; round < 64; round += 1) doubled = [doubled, doubled];
    expect(() => toJsonValue(doubled)).toThrow(/more than 1000000 values/);
    const levels = 100_000;
    const deep = Buffer.from(`\x80\x04${']'.repeat(levels)}${'a'.repeat(levels - 1)}.`, 'latin1');
    expect(() => readResult('PY', deep.toString('base64'), 'fe.1')).toThrow(
      expect.objectContaining({ code: 'unreadable-result', detail: expect.stringMatching(/500 levels/) }),
    );
  });

  it('and so are two keys that would be one in JSON: no value is lost', () => {
    const twice = new Map<PythonValue, PythonValue>([
      [1, 'a'],
      ['1', 'b'],
    ]);
    expect(() => resultOf(twice)).toThrow(
      expect.objectContaining({
        code: 'unreadable-result',
        detail: expect.stringMatching(/two keys .* 1 in/),
      }),
    );
  });
});
