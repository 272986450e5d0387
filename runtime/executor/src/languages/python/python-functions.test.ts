import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PythonSandbox, startPythonSandbox } from '../../testing/python-sandbox.js';

let python: PythonSandbox;
beforeAll(async () => {
  python = await startPythonSandbox({
    moduleHints: {
      torchvision: { flavours: ['python-vision', 'python-all'] },
      no_such_vision: { flavours: ['vision'], own: { flavour: 'vision', debian: 'python3-no-such-vision' } },
      numpy: { flavours: ['python-science'] },
      'google.nope_cloud': { flavours: ['cloud'] },
      no_such_sound: { flavours: ['vision', 'sound'], own: { flavour: 'vision' } },
      statistics: { flavours: ['vision'], own: { flavour: 'vision', debian: 'python3' } },
    },
  });
}, 60_000);
afterAll(() => python.stop());

describe('functions in Python', () => {
  it.each([
    ['parameters in their order', 'def f(a, b): return a - b', '[5, 3]', '2'],
    ['a closure', 'def make(n):\n  def g(a): return a + n\n  return g\nf = make(1000)', '[1]', '1001'],
    ['defaults', 'def f(a, b=7, *, c=[1]): return a + b + c[0]', '[1]', '9'],
    [
      'recursion by its own name',
      'def f(n): return 1 if n < 2 else n * f(n - 1)',
      '[20]',
      '2432902008176640000',
    ],
    [
      'other functions and constants of its module',
      'K = 3\ndef g(a): return a * K\ndef f(a): return g(a)',
      '[4]',
      '12',
    ],
    [
      'imports inside and outside',
      'import math\ndef f():\n  import json\n  return json.dumps([math.tau > 6])',
      '[]',
      "'[true]'",
    ],
    ['a lambda', 'f = lambda a: a[::-1]', '["abc"]', "'cba'"],
    [
      'a class of its module',
      'class P:\n  def __init__(s, x): s.x = x\n  def __eq__(s, o): return s.x == o.x\n  __repr__ = lambda s: f"P({s.x})"\ndef f(p): return [p, P(2)]',
      '[P(1)]',
      '[P(1), P(2)]',
    ],
    ['an object that can be called', 'class C:\n  def __call__(self, a): return a + 1\nf = C()', '[1]', '2'],
    ['a method', 'f = [3, 1, 2].index', '[1]', '1'],
    ['a built-in function', 'f = sorted', '["cab"]', "['a', 'b', 'c']"],
    ['nothing', 'def f(): pass', '[]', 'None'],
    [
      'all kinds of values',
      'def f(*v): return v',
      '[1, 2.5, 1j, True, None, "é", b"x", {1: [2]}, {3}, 2**80]',
      "(1, 2.5, 1j, True, None, 'é', b'x', {1: [2]}, {3}, 1208925819614629174706176)",
    ],
  ])('get and give %s', async (_name, source, values, expected) => {
    expect((await python.run(source, { values })).said).toBe(expected);
  });

  it('take and give arrays of 20 MB', async () => {
    const source = 'import numpy as np\ndef f(a): return a * 2';
    const values = '[np.arange(2_500_000, dtype="float64")]';
    const { said } = await python.run(source, { values, show: '(value.shape, value.dtype.str, value[-1])' });
    expect(said).toBe("((2500000,), '<f8', 4999998.0)");
  }, 30_000);

  it('keep two apart that clients give the same hash', async () => {
    const [one, other] = ['def f(a): return a + 1', 'def f(a): return a + 1000'];
    expect((await python.client.dump(one)).fcHash).toBe((await python.client.dump(other)).fcHash);
    expect([
      (await python.run(one, { values: '[1]' })).said,
      (await python.run(other, { values: '[1]' })).said,
    ]).toEqual(['2', '1001']);
  });

  it('are read from pickles of other releases of cloudpickle', async () => {
    // cloudpickle 3 has all in one module.
    const { fc } = await python.client.dump('def make(n):\n  return lambda: n\nf = make(5)');
    const pickle = Buffer.from(fc, 'base64').toString('latin1');
    expect(pickle).toContain('\x8c\x1ccloudpickle.cloudpickle_fast');
    const newer = pickle.replace('\x8c\x1ccloudpickle.cloudpickle_fast', '\x8c\x17cloudpickle.cloudpickle');
    // The frame that holds it is five bytes shorter.
    const bytes = Buffer.from(newer, 'latin1');
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(3) - 5n, 3);
    expect((await python.runBytes(bytes)).said).toBe('5');
  });

  it('are read with arrays as numpy 2 pickles them', async () => {
    const { fc } = await python.client.dump('def f(a): return type(a).__name__, a.dtype.str, a.tolist()');
    const ask = (pickle: string) =>
      python.runBytes(
        Buffer.from(fc, 'base64'),
        JSON.stringify([Buffer.from(pickle, 'latin1').toString('base64')]),
      );
    const dtype = "cnumpy\ndtype\n(S'i2'\nI00\nI01\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb";
    const bytes = 'C\x04\x01\x00\x02\x00';
    // Protocol 5.
    expect(
      (await ask(`\x80\x05cnumpy._core.numeric\n_frombuffer\n(${bytes}${dtype}I2\n\x85S'C'\ntR.`)).said,
    ).toBe("('ndarray', '<i2', [1, 2])");
    // Before it.
    const empty = `cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nI0\n\x85C\x01btR`;
    expect((await ask(`\x80\x04${empty}(I1\nI2\n\x85${dtype}I00\n${bytes}tb.`)).said).toBe(
      "('ndarray', '<i2', [1, 2])",
    );
    expect((await ask(`\x80\x04cnumpy._core.multiarray\nscalar\n(${dtype}C\x02\x07\x00tR.`)).said).toBe(
      "('int16', '<i2', 7)",
    );
    expect((await ask('\x80\x04cnumpy._coreless\nx\n.')).said).toMatch(/No module named 'numpy\._coreless'/);
  });

  it('and with the marks of fields that cloudpickle 3 puts into dataclasses', async () => {
    const { fc } = await python.client.dump(
      'def f(a):\n  import dataclasses\n  return a is dataclasses._FIELD',
    );
    const ask = (name: string) => {
      const pickle = `\x80\x02ccloudpickle.cloudpickle\n_get_dataclass_field_type_sentinel\n(S'${name}'\ntR.`;
      return python.runBytes(
        Buffer.from(fc, 'base64'),
        JSON.stringify([Buffer.from(pickle, 'latin1').toString('base64')]),
      );
    };
    expect((await ask('_FIELD')).said).toBe('True');
    expect((await ask('sys')).said).toMatch(/^invalid-parameters: .*no kind of field: sys/);
  });
});

describe('failures', () => {
  it('name the exception, its message and the frames of the function, and nothing of the host', async () => {
    const { said } = await python.run('def g(a):\n  return 1 / a\ndef f(a):\n  return g(a)', {
      values: '[0]',
    });
    expect(said).toBe(
      'function-error: ZeroDivisionError: division by zero\n  File "device.py", line 4, in f\n  File "device.py", line 2, in g',
    );
  });

  it.each([
    [
      'what caused it',
      "def f():\n  try: {}['k']\n  except KeyError as e: raise ValueError('v') from e",
      /^function-error: ValueError: v\n.*\ncaused by KeyError: 'k'\n/,
    ],
    [
      'an exception of its own',
      'class Odd(Exception): pass\ndef f(): raise Odd(1, 2)',
      /^function-error: Odd: \(1, 2\)\n/,
    ],
    [
      'a message that cannot be read',
      'class Bad(Exception):\n  def __str__(s): raise SystemExit\ndef f(): raise Bad()',
      /^function-error: Bad/,
    ],
    ['an exit', 'def f():\n  import sys\n  sys.exit(3)', /^function-error: SystemExit: 3\n/],
    [
      'endless recursion',
      'def f(): return f()',
      /^function-error: RecursionError: .*\n {2}File "device.py", line 1, in f\n {2}\(\d+ more of the same frames\)$/,
    ],
    [
      'too few parameters',
      'def f(a): pass',
      /^function-error: TypeError: f\(\) missing 1 required positional argument: 'a'$/,
    ],
    [
      'a generator',
      'def f(): yield 1',
      /^result-not-serializable: the function returned a generator; return a list/,
    ],
    ['a coroutine', 'async def f(): pass', /^result-not-serializable: the function returned a coroutine/],
    [
      'an async generator',
      'async def f(): yield',
      /^result-not-serializable: the function returned an async generator/,
    ],
    [
      'a generator inside',
      'def f(): return [(i for i in [])]',
      /^result-not-serializable: .*cannot be pickled: TypeError: cannot pickle 'generator' object$/,
    ],
    [
      'a lock',
      'import threading\ndef f(): return threading.Lock()',
      /^result-not-serializable: .*cannot pickle '_thread.lock' object$/,
    ],
    [
      'too large a result',
      'def f(): return bytes(40_000_000)',
      /^result-too-large: the pickled result is larger than 33554432 bytes$/,
    ],
    [
      'a missing module',
      'def f():\n  import no_such_module_here',
      /^function-error: ModuleNotFoundError: No module named 'no_such_module_here' \(no flavour known here has the module no_such_module_here\)\n/,
    ],
    [
      'a missing module of another flavour',
      'def f():\n  import torchvision.transforms',
      /\(flavours that have the module torchvision: python-vision, python-all\)\n/,
    ],
    [
      'a module that its own flavour declares',
      'def f():\n  import no_such_vision.colour',
      /\(flavour vision declares it, but it is not installed on this machine: apt-get install python3-no-such-vision\)\n/,
    ],
    [
      'one that comes from no Debian package',
      'def f():\n  import no_such_sound',
      /\(flavour vision declares it, but it is not installed on this machine\)\n/,
    ],
    [
      'a part that an installed module has not',
      'def f():\n  import statistics.colour',
      /ModuleNotFoundError: No module named 'statistics\.colour'; 'statistics' is not a package \(statistics is here as Python 3\.\d+ has it and has no statistics\.colour\)\n/,
    ],
    [
      'a part that an installed package of another flavour has not',
      'def f():\n  import numpy.nope',
      /\(numpy is here in version \d+\.\d+\.\d+ and has no numpy\.nope\)\n/,
    ],
    [
      'a part that another flavour has of a module that is here',
      'def f():\n  import google.nope_cloud',
      /\(flavours that have the module google\.nope_cloud: cloud\)\n/,
    ],
    [
      'a module that says no version, or one that cannot be read',
      'def f():\n  import sys, types\n  class Odd(types.ModuleType):\n    __version__ = property(lambda s: 1 / 0)\n  sys.modules["odd"] = Odd("odd")\n  sys.modules["odd"].__path__ = []\n  import odd.part',
      /\(odd is here and has no odd\.part\)\n/,
    ],
    ['too much memory', 'def f():\n  a = []\n  while True: a.append(bytes(1_000_000))', /^out-of-memory: /],
    ['ten gigabytes at once', 'def f(): return len(bytes(10 * 2**30))', /^out-of-memory: /],
    [
      'ten gigabytes that are mapped',
      'def f():\n  import mmap\n  return len(mmap.mmap(-1, 10 * 2**30))',
      /^out-of-memory: the function used more memory than its \d+ MiB: OSError: \[Errno 12\] Cannot allocate memory\n/,
    ],
    [
      'too much memory as what caused another error',
      'def f():\n  try: bytes(10 * 2**30)\n  except MemoryError as e: raise ValueError("v") from e',
      /^out-of-memory: the function used more memory than its \d+ MiB: ValueError: v\n/,
    ],
    [
      'a library that no addresses are left for',
      'def f():\n  import resource, sys\n  used = int(open("/proc/self/statm").read().split()[0]) * 4096\n  resource.setrlimit(resource.RLIMIT_AS, (used + 6 * 2**20,) * 2)\n  import numpy',
      /^out-of-memory: the function used more memory than its \d+ MiB: ImportError: [\s\S]*failed to map segment from shared object/,
    ],
    [
      'an error that looks like one and cannot be looked at',
      'def f():\n  class Odd(OSError):\n    errno = property(lambda s: 1 / 0)\n  raise Odd("odd")',
      /^function-error: f\.<locals>\.Odd: odd\n/,
    ],
    [
      'a result that takes too much memory while it is pickled',
      'class R:\n  def __reduce__(s): raise ValueError("v") from MemoryError()\ndef f(): return R()',
      /^out-of-memory: the function used more memory than its \d+ MiB: ValueError: v\n/,
    ],
  ])('tell of %s', async (_name, source, expected) => {
    expect((await python.run(source)).said).toMatch(expected);
  });

  it('say what is wrong with a function that is no pickle, or not of a function', async () => {
    expect((await python.runBytes(Buffer.from('nonsense'))).said).toMatch(
      /^invalid-function: .*UnpicklingError/,
    );
    const { fc } = await python.client.dump('f = 5');
    expect((await python.runBytes(Buffer.from(fc, 'base64'))).said).toBe(
      'invalid-function: the pickle holds no function but an object of type int',
    );
  });

  it('say what is wrong with parameters', async () => {
    const { fc } = await python.client.dump('def f(a): return a');
    const call = async (parameters: string) =>
      (await python.runBytes(Buffer.from(fc, 'base64'), parameters)).said;
    expect(await call('{}')).toBe('invalid-parameters: the parameters are not a JSON array');
    expect(await call('["gAVLAS4=", 7]')).toBe('invalid-parameters: parameter 2 is not a string');
    expect(await call('["gAVLAS4"]')).toBe('invalid-parameters: parameter 1 is not base64');
    const json = (value: string) => `["${Buffer.from(value).toString('base64')}"]`;
    for (const value of ['none', '40', '"N."', '[1]'])
      expect(await call(json(value))).toMatch(
        /^invalid-parameters: parameter 1 cannot be read: it is no pickle; .* base64 of one, as base64\.b64encode/,
      );
    expect(await call('["gAVLAQ=="]')).toMatch(/^invalid-parameters: parameter 1 cannot be read: EOFError/);
    expect(await call(' [ "gAVL\\u0041S4=" ] ')).toBe('1');
  });

  describe('of a function that another version of Python compiled', () => {
    const refusal =
      'invalid-function: it was compiled by another version of Python; here functions run on Python 3.11';
    // What 3.11 makes of it starts with RESUME and LOAD_GLOBAL, which has five empty instructions behind it.
    it.each([
      ['another number of empty instructions', 4, 100],
      ['another start', 0, 149],
      ['an instruction that is none', 2, 255],
    ])('name the version that is needed: %s', async (_name, offset, byte) => {
      const { fc } = await python.client.dump('def f(a): return len(a) + 1');
      const bytes = Buffer.from(fc, 'base64');
      const at = bytes.indexOf(Buffer.from([151, 0, 116]));
      expect(at).toBeGreaterThan(0);
      bytes[at + offset] = byte;
      expect((await python.runBytes(bytes)).said).toBe(refusal);
    });

    it('name it too when the form of the code is another one', async () => {
      // Fewer fields, as releases before 3.11 have it.
      const { fc } = await python.client.dump(
        'import types\nclass Old:\n  def __reduce__(s): return types.CodeType, (0, 0, 0, 0, 1, 67, b"d\\0S\\0", (None,), (), (), "x", "f", 1, b"")\nf = Old()',
      );
      expect((await python.runBytes(Buffer.from(fc, 'base64'))).said).toBe(refusal);
    });

    it('do not come from any way to write one for the right version', async () => {
      const source = `def f(a, *b, **c):
      async def g():
        async with a as x: yield x
        await b
      def h():
        nonlocal c
        try: c = [lambda: a for a in b if a]
        except* ValueError as e: raise TypeError from e
        finally: pass
      class K:
        x: int = 1
        def m(self): return super().m()
      match a:
        case {"k": [1, *rest]}: return rest
        case _: return "any"`;
      expect((await python.run(source, { values: '[{"k": [1, 2]}]' })).said).toBe('[2]');
    });
  });

  it('do not stop the next call', async () => {
    const source = 'def f(a): return 1 / a';
    expect((await python.run(source, { values: '[0]' })).said).toMatch(/^function-error/);
    expect((await python.run(source, { values: '[1]' })).said).toBe('1.0');
  });
});
