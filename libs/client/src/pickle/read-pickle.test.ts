import { describe, expect, it } from '@jest/globals';
import { pickleInPython, runPython } from './python.fixture.js';
import { PickleError, type PythonValue } from './python-values.js';
import { readPickle } from './read-pickle.js';

const bytesOf = (...values: number[]) => Uint8Array.from(values);

/** What an expression of Python is here. */
const plain: readonly (readonly [string, PythonValue])[] = [
  ['None', null],
  ['True', true],
  ['False', false],
  ['0', 0],
  ['-1', -1],
  ['255', 255],
  ['256', 256],
  ['65536', 65536],
  ['-2147483648', -2147483648],
  ['2147483648', 2147483648],
  ['-2**40', -(2 ** 40)],
  ['2**53 - 1', Number.MAX_SAFE_INTEGER],
  ['2**53', 2n ** 53n],
  ['-2**63', -(2n ** 63n)],
  ['10**1000', 10n ** 1000n],
  ['-10**1000', -(10n ** 1000n)],
  ['0.5', 0.5],
  ['-1e300', -1e300],
  ['2.0', 2],
  ['float("inf")', Infinity],
  ['float("-inf")', -Infinity],
  ['float("nan")', Number.NaN],
  ['""', ''],
  ['"a" * 300', 'a'.repeat(300)],
  ['"héé – 漢 \\U0001f600 \\\\u0041 \\n\\t\\x00\\r"', 'héé – 漢 \u{1f600} \\u0041 \n\t\0\r'],
  ['"\\ufeffmark"', '\ufeffmark'],
  ['b""', bytesOf()],
  ['b"\\x00\\xff\\n"', bytesOf(0, 255, 10)],
  ['b"ab" * 200', new Uint8Array(Buffer.from('ab'.repeat(200)))],
  ['bytearray()', bytesOf()],
  ['bytearray(b"\\x80x")', bytesOf(128, 120)],
  ['[]', []],
  ['[1, [2, [None]]]', [1, [2, [null]]]],
  ['list(range(2500))', Array.from({ length: 2500 }, (_none, index) => index)],
  ['()', []],
  ['(1,)', [1]],
  ['(1, 2)', [1, 2]],
  ['(1, 2, 3)', [1, 2, 3]],
  ['(1, "two", 3.5, None)', [1, 'two', 3.5, null]],
  ['{}', {}],
  ['{"a": 1}', { a: 1 }],
  ['{"a": {"b": [{"c": ()}]}, "d": 2}', { a: { b: [{ c: [] }] }, d: 2 }],
  [
    '{1: "one", (2, 3): {"x": {}}}',
    new Map<PythonValue, PythonValue>([
      [1, 'one'],
      [[2, 3], { x: {} }],
    ]),
  ],
  ['set()', new Set()],
  ['{1, 2}', new Set([1, 2])],
  ['frozenset((("a", 1),))', new Set([['a', 1]])],
  ['[{"k"}, frozenset()]', [new Set(['k']), new Set()]],
];

describe('what Python writes of plain values', () => {
  const pickles = pickleInPython(plain.map(([expression]) => expression));

  it.each(plain)('%s is read in the protocols 0 to 5', (expression, value) => {
    const all = pickles.get(expression) ?? [];
    expect(all).toHaveLength(6);
    for (const [protocol, bytes] of all.entries())
      expect([protocol, readPickle(bytes)]).toEqual([protocol, value]);
  });

  it('texts and bytes beyond 4 GiB lengths and frames are read by their eight-byte lengths', () => {
    const text = runPython('import pickle, sys; sys.stdout.write(pickle.dumps(["x" * 100000] * 2, 4).hex())');
    expect(readPickle(new Uint8Array(Buffer.from(text, 'hex')))).toEqual(Array(2).fill('x'.repeat(100_000)));
    const long = bytesOf(0x80, 4, 0x8d, 2, 0, 0, 0, 0, 0, 0, 0, 0x68, 0x69, 0x2e);
    expect(readPickle(long)).toBe('hi');
  });
});

describe('identity', () => {
  it('what is one object in Python is one object here', () => {
    const same =
      pickleInPython(['(lambda one: [one, one, {"a": one}])({"x": []})']).values().next().value ?? [];
    for (const bytes of same) {
      const [first, second, third] = readPickle(bytes) as [object, object, { a: object }];
      expect(second).toBe(first);
      expect(third.a).toBe(first);
    }
  });

  it('a list and a dict may contain themselves', () => {
    const bytes = runPython(
      'import pickle, sys\nlist_ = []; dict_ = {"list": list_}; list_.append(dict_); dict_["self"] = dict_\nsys.stdout.write(pickle.dumps(list_).hex())',
    );
    const list = readPickle(new Uint8Array(Buffer.from(bytes, 'hex'))) as { self: unknown; list: unknown }[];
    expect(list[0]?.self).toBe(list[0]);
    expect(list[0]?.list).toBe(list);
  });
});

describe('what is refused', () => {
  const refused = [
    ['datetime.date(2026, 1, 2)', 'datetime.date'],
    ['[1, {"a": decimal.Decimal("1.5")}]', 'decimal.Decimal'],
    ['collections.OrderedDict(a=1)', 'collections.OrderedDict'],
    ['1 + 2j', 'builtins.complex'],
    ['range(3)', 'builtins.range'],
    ['eval', 'builtins.eval'],
    ['[set]', 'builtins.set'],
    ['collections.Counter', 'collections.Counter'],
    ['ValueError("no")', 'exceptions.ValueError'],
  ] as const;
  const pickles = pickleInPython(refused.map(([expression]) => expression));

  it.each(refused)('%s is refused by the name of its type', (expression, name) => {
    // Python 2, which the older protocols are for, had other names for a few modules.
    const names = new RegExp(
      `of type (${name.replace('.', '\\.')}|builtins\\.(xrange|ValueError)), and only plain values`,
    );
    for (const bytes of pickles.get(expression) ?? []) {
      expect(() => readPickle(bytes)).toThrow(names);
      expect(() => readPickle(bytes)).toThrow(PickleError);
    }
  });

  const waysOut = [
    ['datetime.datetime(2026, 1, 2)', 'datetime\\.datetime,.*return value\\.isoformat\\(\\)$'],
    ['[datetime.timedelta(1)]', 'datetime\\.timedelta,.*total_seconds'],
    ['decimal.Decimal("1.5")', 'decimal\\.Decimal,.*str\\(value\\)'],
    ['1 + 2j', 'complex,.*\\[value\\.real, value\\.imag\\]'],
    ['collections.OrderedDict(a=1)', 'OrderedDict,.*dict\\(value\\)'],
  ] as const;
  const wanted = pickleInPython(waysOut.map(([expression]) => expression));

  it.each(waysOut)('says what to return instead of %s', (expression, text) => {
    for (const bytes of wanted.get(expression)?.slice(2) ?? [])
      expect(() => readPickle(bytes)).toThrow(new RegExp(text));
    expect(wanted.get(expression)).toHaveLength(6);
  });

  it('says what to do about numpy', () => {
    const scalar = Buffer.from('\x80\x04\x8c\x16numpy.core.multiarray\x94\x8c\x06scalar\x94\x93.', 'latin1');
    scalar[3] = 21;
    expect(() => readPickle(new Uint8Array(scalar))).toThrow(
      /numpy\.core\.multiarray\.scalar.*array\.tolist\(\)/,
    );
  });

  it('calls nothing that a pickle names, and no prototype is reached', () => {
    const system = Buffer.from("cos\nsystem\n(S'true'\ntR.", 'latin1');
    expect(() => readPickle(new Uint8Array(system))).toThrow(/os\.system/);
    const [bytes = bytesOf()] =
      pickleInPython(['{"__proto__": {"polluted": 1}}']).values().next().value ?? [];
    const read = readPickle(bytes) as Record<string, unknown>;
    expect(Object.keys(read)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(read['polluted']).toBeUndefined();
  });

  it.each([
    ['no bytes', bytesOf()],
    ['bytes that end early', bytesOf(0x80, 4, 0x8c, 9, 0x61)],
    ['no value before the end', bytesOf(0x2e)],
    ['a protocol of the future', bytesOf(0x80, 9, 0x4e, 0x2e)],
    ['an opcode that there is not', bytesOf(0xff, 0x2e)],
    [
      'a length that is longer than the bytes',
      bytesOf(0x80, 4, 0x8e, 255, 255, 255, 255, 255, 255, 255, 127),
    ],
    ['a negative length', bytesOf(0x80, 2, 0x8b, 255, 255, 255, 255, 0x2e)],
    ['an object that was never kept', bytesOf(0x68, 7, 0x2e)],
    ['a mark that was never set', bytesOf(0x4e, 0x74, 0x2e)],
    ['an append to no list', bytesOf(0x4e, 0x4e, 0x61, 0x2e)],
    ['a dict with a key too many', bytesOf(0x7d, 0x28, 0x4e, 0x75, 0x2e)],
    ['a number that is none', new Uint8Array(Buffer.from('Ione\n.', 'latin1'))],
    ['JSON', new Uint8Array(Buffer.from('{"a": 1}'))],
  ])('%s is no pickle', (_what, bytes) => {
    expect(() => readPickle(bytes)).toThrow(PickleError);
  });

  it('half a character in a text is named', () => {
    const [, , , bytes = bytesOf()] = pickleInPython(['"\\ud800"']).values().next().value ?? [];
    expect(() => readPickle(bytes)).toThrow(/lone surrogate/);
  });

  it('random bytes end in a value or a PickleError, never in anything else', () => {
    let seed = 12345;
    const random = () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed >>> 16;
    };
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = Uint8Array.from({ length: 1 + (random() % 24) }, () => random() % 256);
      try {
        readPickle(bytes);
      } catch (error) {
        if (!(error instanceof PickleError)) throw error;
      }
    }
    expect(seed).not.toBe(12345);
  });
});
