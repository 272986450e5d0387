import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  bytesParameter,
  type CItem,
  functionText,
  type NumberKind,
  numberKinds,
  numbersParameter,
  readResponse,
  stringParameter,
  unpackedParameter,
} from '../../testing/c-client.js';
import { type CallOptions, type SandboxFixture, startSandbox } from '../../testing/sandbox-fixture.js';
import { pythonRuntime } from './python-runtime.js';

let sandbox: SandboxFixture;
beforeAll(async () => {
  sandbox = await startSandbox({ runtimes: [pythonRuntime], residentMiB: 600, limits: { memoryMiB: 256 } });
}, 60_000);
afterAll(() => sandbox.stop());

/** The items a client reads, or `code: text`. */
async function call(source: string, parameters: readonly string[] = [], options: CallOptions = {}) {
  const code = Buffer.from(functionText(source), 'base64');
  const bytes = Buffer.from(JSON.stringify(parameters));
  const outcome = await sandbox.call(code, [], { language: 'C', parameters: bytes, ...options });
  if (outcome.kind === 'failed') return `${outcome.code}: ${outcome.text}`;
  return readResponse((JSON.parse(outcome.answer.toString()) as { res: string }).res);
}

const text = (value: string): CItem => ({ kind: 'string', value });
const ints = (...values: bigint[]): CItem => ({ kind: 'int64', values });
const doubles = (...values: number[]): CItem => ({ kind: 'double', values });
const bools = (...values: boolean[]): CItem => ({ kind: 'bool', values });

/** The edges of each kind, and how Python writes them. */
const edges: Readonly<Record<NumberKind, readonly [readonly (number | bigint | boolean)[], string]>> = {
  double: [[-1.5, 1e300, 0], '[-1.5, 1e+300, 0.0]'],
  float: [[-1.5, 0.25, 65536], '[-1.5, 0.25, 65536.0]'],
  int32: [[-(2 ** 31), -1, 2 ** 31 - 1], '[-2147483648, -1, 2147483647]'],
  int64: [[-(2n ** 63n), -1n, 2n ** 63n - 1n], '[-9223372036854775808, -1, 9223372036854775807]'],
  uint32: [[0, 2 ** 32 - 1], '[0, 4294967295]'],
  uint64: [[0n, 2n ** 64n - 1n], '[0, 18446744073709551615]'],
  sint32: [[-(2 ** 31), -1, 2 ** 31 - 1], '[-2147483648, -1, 2147483647]'],
  sint64: [[-(2n ** 63n), -1n, 2n ** 63n - 1n], '[-9223372036854775808, -1, 9223372036854775807]'],
  fixed32: [[0, 2 ** 32 - 1], '[0, 4294967295]'],
  fixed64: [[0n, 2n ** 64n - 1n], '[0, 18446744073709551615]'],
  sfixed32: [[-(2 ** 31), 2 ** 31 - 1], '[-2147483648, 2147483647]'],
  sfixed64: [[-(2n ** 63n), 2n ** 63n - 1n], '[-9223372036854775808, 9223372036854775807]'],
  bool: [[true, false, true], '[True, False, True]'],
};
const show = 'def f(value):\n    return repr(value)\n';

describe('parameters of C clients', () => {
  it.each(numberKinds)('of %s arrive as a list, one of them as the value itself', async (kind) => {
    const [values, expected] = edges[kind];
    expect(await call(show, [numbersParameter(kind, values)])).toEqual([text(expected)]);
    const last = expected.slice(1, -1).split(', ').at(-1) ?? '';
    expect(await call(show, [numbersParameter(kind, values.slice(-1))])).toEqual([text(last)]);
  });

  it('can be the longest array a client can send', async () => {
    const values = Array.from({ length: 128 }, (_, index) => index);
    const source = 'def f(a):\n    return len(a), sum(a)';
    expect(await call(source, [numbersParameter('int32', values)])).toEqual([ints(128n), ints(8128n)]);
  });

  it('can be text, bytes, an empty array, and values that are not packed', async () => {
    expect(await call(show, [stringParameter('héllo')])).toEqual([text("'héllo'")]);
    expect(await call(show, [stringParameter('')])).toEqual([text("''")]);
    expect(await call(show, [bytesParameter(Buffer.from([0, 255]))])).toEqual([text("b'\\x00\\xff'")]);
    expect(await call(show, [numbersParameter('double', [])])).toEqual([text('[]')]);
    expect(await call(show, [unpackedParameter('int32', [1, -2, 3])])).toEqual([text('[1, -2, 3]')]);
    expect(await call(show, [unpackedParameter('bool', [true])])).toEqual([text('True')]);
  });

  it('can be sixteen of any kind', async () => {
    const many = Array.from({ length: 16 }, (_, index) => numbersParameter('double', [index]));
    expect(await call('def f(*all):\n    return sum(all)', many)).toEqual([doubles(120)]);
  });

  it.each([
    [
      'no message',
      'DQ==',
      /^invalid-parameters: parameter 1 cannot be read: it is not the protobuf message of a parameter$/,
    ],
    ['an empty message', '', /^invalid-parameters: parameter 1 cannot be read: its message has no value$/],
  ])('that are %s are named', async (_name, parameter, expected) => {
    expect(await call(show, [parameter])).toMatch(expected);
  });
});

describe('results for C clients', () => {
  it.each<[string, string, CItem[]]>([
    ['bool', 'True', [bools(true)]],
    ['float', '1.5', [doubles(1.5)]],
    ['int', '-7', [ints(-7n)]],
    [
      'ints that only an unsigned one holds, alone and beside others',
      '2**63, [0, 2**64 - 1]',
      [
        { kind: 'uint64', values: [2n ** 63n] },
        { kind: 'uint64', values: [0n, 2n ** 64n - 1n] },
      ],
    ],
    ['the largest and smallest int', '(2**63 - 1, -2**63)', [ints(2n ** 63n - 1n), ints(-(2n ** 63n))]],
    ['str', '"é"', [text('é')]],
    ['bytes', 'b"\\x00\\x01"', [{ kind: 'bytes', value: Buffer.from([0, 1]) }]],
    [
      'a tuple of all',
      '(True, 2, 0.5, "s", b"")',
      [bools(true), ints(2n), doubles(0.5), text('s'), { kind: 'bytes', value: Buffer.alloc(0) }],
    ],
    ['a list', '[1, 2, 3]', [ints(1n), ints(2n), ints(3n)]],
    [
      'lists in a tuple',
      '([1, 2], [0.5, 1.5], [True, False])',
      [ints(1n, 2n), doubles(0.5, 1.5), bools(true, false)],
    ],
    ['mixed numbers in a list', '([1, 0.5], [True, 2])', [doubles(1, 0.5), ints(1n, 2n)]],
    ['an empty list in a tuple', '([],)', [ints()]],
    ['None', 'None', []],
    ['an empty tuple', '()', []],
    [
      'arrays and scalars of numpy',
      '__import__("numpy").float32(0.5), __import__("numpy").arange(3)',
      [doubles(0.5), ints(0n, 1n, 2n)],
    ],
    [
      'as many as a client reads',
      'tuple(range(8))',
      Array.from({ length: 8 }, (_, index) => ints(BigInt(index))),
    ],
    [
      'as long as a client reads',
      '"x" * 1023, [1.0] * 128',
      [text('x'.repeat(1023)), doubles(...new Array<number>(128).fill(1))],
    ],
  ])('can be %s', async (_name, expression, expected) => {
    expect(await call(`def f():\n    return ${expression}\n`)).toEqual(expected);
  });

  it.each([
    ['an int beyond 64 bits', '2**64', 'result-not-serializable: result 1: an int does not fit into 64 bits'],
    [
      'an unsigned int of 64 bits beside a negative one',
      '([2**63, -1],)',
      'result-not-serializable: result 1: an int does not fit into 64 bits',
    ],
    [
      'an int too large for the doubles beside it',
      '[[2**2000, 0.5]]',
      'result-not-serializable: result 1: an int is too large for a double',
    ],
    ['a dict', '(1, {})', 'result-not-serializable: result 2: a dict cannot be sent to a C client'],
    [
      'text in an inner list',
      '(["a"],)',
      'result-not-serializable: result 1: a str cannot be sent to a C client',
    ],
    [
      'half a surrogate pair',
      '"\\ud800"',
      'result-not-serializable: result 1: text that is not Unicode (half of a surrogate pair)',
    ],
    [
      'None among others',
      '(1, None)',
      'result-not-serializable: result 2: a NoneType cannot be sent to a C client',
    ],
    [
      'more items than a client reads',
      'list(range(9))',
      'result-too-large: 9 results; a C client reads at most 8',
    ],
    [
      'a longer array than a client reads',
      '([0] * 129,)',
      'result-too-large: result 1: 129 values; a C client reads at most 128',
    ],
    [
      'longer text than a client reads',
      '"é" * 512',
      'result-too-large: result 1: text of 1024 bytes; a C client reads at most 1023',
    ],
    [
      'more bytes than a client reads',
      'bytes(1025)',
      'result-too-large: result 1: bytes of 1025 bytes; a C client reads at most 1024',
    ],
    [
      'more than the requirement allows',
      '"x" * 100',
      'result-too-large: the result has 104 bytes, the limit is 64',
    ],
  ])('cannot be %s', async (_name, expression, expected) => {
    const options = expected.endsWith('64') ? { resultBytes: 64 } : {};
    expect(await call(`def f():\n    return ${expression}\n`, [], options)).toBe(expected);
  });
});

describe('functions of C clients', () => {
  it.each([
    [
      'the first of the text',
      'import math\nK = 2\ndef first(a):\n    return second(a) * K\ndef second(a):\n    return a + 1\n',
      [ints(8n)],
    ],
    ['one with odd blanks', 'def  spaced (a) :\n  return a\n', [ints(3n)]],
    ['one that uses itself', 'def fact(n):\n    return 1 if n < 2 else n * fact(n - 1)\n', [ints(6n)]],
    [
      'one behind a class that has methods',
      'class Point:\n    def __init__(self, x):\n        self.x = x\ndef real(a):\n    return Point(a).x\n',
      [ints(3n)],
    ],
    [
      'one behind texts that speak of def',
      '"""\ndef nothing(a):\n    return 0\n"""\nnote = """\ndef neither(\n"""\ndef real(a):\n    return a\n',
      [ints(3n)],
    ],
    [
      'one in a branch, with an escaped line end in its head',
      'try:\n    import no_such_module_here\nexcept ImportError:\n    def \\\n  real(a):\n        return a\n',
      [ints(3n)],
    ],
    ['one behind a comment that speaks of def', '# def nothing(\ndef real(a):\n    return a\n', [ints(3n)]],
  ])('are %s', async (_name, source, expected) => {
    expect(await call(source, [numbersParameter('int32', [3])])).toEqual(expected);
  });

  it('have globals of their own, and keep them between calls', async () => {
    const source =
      'count = 0\ndef f():\n    global count\n    count += 1\n    return count, sorted(g for g in globals() if g != "__builtins__") == ["__name__", "count", "f"]';
    expect(await call(source)).toEqual([ints(1n), bools(true)]);
    expect(await call(source)).toEqual([ints(2n), bools(true)]);
    expect(await call('def other():\n    return "count" in globals()')).toEqual([bools(false)]);
  });

  it.each([
    [
      'has no function',
      'x = 1\n',
      'invalid-function: the text has no function: there is no `def name(` in it',
    ],
    [
      'has functions in classes only',
      'class C:\n    def method(self): pass\n',
      'invalid-function: the text has no function: there is no `def name(` in it',
    ],
    [
      'does not compile',
      'def f(:\n    pass\n',
      'invalid-function: SyntaxError: invalid syntax (function.py, line 1)',
    ],
    [
      'fails while it is defined',
      'x = 1 / 0\ndef f():\n    pass\n',
      'invalid-function: ZeroDivisionError: division by zero\n  File "function.py", line 1, in <module>\n    x = 1 / 0',
    ],
    [
      'misses a module',
      'import no_such_module_here\ndef f(): pass',
      'invalid-function: ModuleNotFoundError: No module named \'no_such_module_here\' (no flavour known here has the module no_such_module_here)\n  File "function.py", line 1, in <module>\n    import no_such_module_here',
    ],
    [
      'raises',
      'def f():\n    return [][1]\n',
      'function-error: IndexError: list index out of range\n  File "function.py", line 2, in f\n    return [][1]',
    ],
    [
      'has a def in a branch not taken',
      'if False:\n    def f(): pass\n',
      'invalid-function: the text does not define f',
    ],
  ])('say so when the text %s', async (_name, source, expected) => {
    expect(await call(source)).toBe(expected);
  });

  it('say so when the message is none', async () => {
    const code = Buffer.from([0x0a, 0x50, 0x61]);
    const outcome = await sandbox.call(code, [], { language: 'C', parameters: Buffer.from('[]') });
    expect(outcome).toMatchObject({
      code: 'invalid-function',
      text: 'it is not the protobuf message of a function',
    });
  });

  it('are stopped at their deadline, with their log', async () => {
    const source = 'def f():\n    print("before")\n    while True: pass\n';
    expect(await call(source, [], { runMs: 200 })).toBe('execution-timeout: stopped after 200 ms');
  });
});
