import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { loadInPython } from './python.fixture.js';
import { PickleError, type PythonInput, pythonFloat, pythonTuple } from './python-values.js';
import { readPickle } from './read-pickle.js';
import { writePickle } from './write-pickle.js';

const int = (repr: string) => ['int', repr];

describe('what Python reads', () => {
  const cases: readonly (readonly [string, PythonInput, unknown])[] = [
    ['null', null, ['NoneType', 'None']],
    ['undefined', undefined, ['NoneType', 'None']],
    [
      'booleans',
      [true, false],
      [
        'list',
        [
          ['bool', 'True'],
          ['bool', 'False'],
        ],
      ],
    ],
    [
      'integers of every width',
      [0, 255, 256, 65_535, 65_536, -1, -129, 2147483647, -2147483648, 2147483648, Number.MAX_SAFE_INTEGER],
      [
        'list',
        [0, 255, 256, 65_535, 65_536, -1, -129, 2147483647, -2147483648, 2147483648, 9007199254740991].map(
          (one) => int(String(one)),
        ),
      ],
    ],
    [
      'bigints',
      [0n, -1n, 127n, 128n, -128n, -129n, 2n ** 64n, -(2n ** 64n), 2n ** 2100n],
      [
        'list',
        [0n, -1n, 127n, 128n, -128n, -129n, 2n ** 64n, -(2n ** 64n), 2n ** 2100n].map((one) =>
          int(String(one)),
        ),
      ],
    ],
    [
      'numbers with a fraction, and those too large to be exact',
      [0.5, -0, 1e300, Number.NaN, -Infinity],
      ['list', ['0.5', '-0.0', '1e+300', 'nan', '-inf'].map((repr) => ['float', repr])],
    ],
    ['a whole number that is to be a float', pythonFloat(2), ['float', '2.0']],
    [
      'texts',
      ['', 'h\u00e9 \u{1f600}', 'x'.repeat(300)],
      [
        'list',
        [
          ['str', "''"],
          ['str', "'h\u00e9 \u{1f600}'"],
          ['str', `'${'x'.repeat(300)}'`],
        ],
      ],
    ],
    ['bytes', Uint8Array.from([0, 255]), ['bytes', "b'\\x00\\xff'"]],
    ['long bytes', new Uint8Array(300).fill(97), ['bytes', `b'${'a'.repeat(300)}'`]],
    ['a tuple', pythonTuple(1, pythonTuple()), ['tuple', [int('1'), ['tuple', []]]]],
    [
      'an object',
      { a: 1, b: { c: [] } },
      [
        'dict',
        [
          [['str', "'a'"], int('1')],
          [
            ['str', "'b'"],
            [
              'dict',
              [
                [
                  ['str', "'c'"],
                  ['list', []],
                ],
              ],
            ],
          ],
        ],
      ],
    ],
    [
      'an object without a prototype',
      Object.assign(Object.create(null), { a: 1 }) as PythonInput,
      ['dict', [[['str', "'a'"], int('1')]]],
    ],
    [
      'a map',
      new Map<PythonInput, PythonInput>([
        [1, 'x'],
        [pythonTuple(1, 2), null],
      ]),
      [
        'dict',
        [
          [int('1'), ['str', "'x'"]],
          [
            ['tuple', [int('1'), int('2')]],
            ['NoneType', 'None'],
          ],
        ],
      ],
    ],
    ['a set', new Set([2, 1]), ['set', [int('1'), int('2')]]],
  ];

  it('is what was written', () => {
    const loaded = loadInPython(cases.map(([, value]) => writePickle(value)));
    expect(cases.map(([name], index) => [name, loaded[index]])).toEqual(
      cases.map(([name, , expected]) => [name, expected]),
    );
  });

  it('20 MB in one piece, and a list of a hundred thousand items', () => {
    const large = writePickle(new Uint8Array(20 * 1024 * 1024));
    const many = writePickle(Array.from({ length: 100_000 }, (_none, index) => index));
    const [bytes, list] = loadInPython([large, many]) as [unknown, [string, unknown[]]];
    expect(bytes).toEqual(['bytes', 20 * 1024 * 1024]);
    expect(list[1]).toHaveLength(100_000);
    expect(list[1][99_999]).toEqual(int('99999'));
  });
});

it('what was written is read here as it was', () => {
  const value = fc.letrec<{ value: PythonInput }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger(),
      // Those that a number holds come back as numbers.
      fc.bigInt({ min: 2n ** 53n }),
      fc.double({ noNaN: true }),
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array(),
      fc.array(tie('value')),
      fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { noNullPrototype: true }),
    ),
  })).value;
  fc.assert(
    fc.property(value, (one) => {
      expect(readPickle(writePickle(one))).toEqual(one);
    }),
  );
});

describe('what is refused, with its place', () => {
  class Reading {
    readonly value = 1;
  }
  const itself: PythonInput[] = [];
  itself.push([itself]);
  let deep: PythonInput = [];
  for (let level = 0; level < 1000; level += 1) deep = [deep];
  it.each<[string, unknown, RegExp]>([
    ['an instance of a class', { a: [1, new Reading()] }, /^the value\[a\]\[1\] is a Reading/],
    ['a date', new Date(0), /is a Date/],
    ['a function', [() => 1], /^the value\[0\] is a function/],
    ['a symbol', Symbol('s'), /is a symbol/],
    ['a cycle', itself, /contains itself/],
    ['a thousand levels', deep, /more than 500 levels/],
    ['half a character', { '\ud800': 1 }, /lone surrogate/],
  ])('%s', (_what, value, message) => {
    expect(() => writePickle(value as PythonInput)).toThrow(message);
    expect(() => writePickle(value as PythonInput)).toThrow(PickleError);
  });

  it('the same value twice is no cycle', () => {
    const one = { a: 1 };
    expect(readPickle(writePickle([one, one]))).toEqual([one, one]);
  });
});
