import { describe, expect, it } from '@jest/globals';
import { decodeBase64 } from './base64.js';
import { runPython } from './pickle/python.fixture.js';
import { type PythonFunction, pythonFunction } from './python-function.js';

const callSource = `
import base64, json, pickle, sys, traceback
code, arguments = json.load(sys.stdin)
function = pickle.loads(base64.b64decode(code))
try:
    print(json.dumps([function.__name__, function.__module__, function(*arguments)]))
except Exception:
    print(json.dumps(traceback.format_exc()))
`;
const callInPython = (fn: PythonFunction<readonly unknown[]>, ...parameters: unknown[]): unknown =>
  JSON.parse(runPython(callSource, JSON.stringify([fn.code, parameters])));

describe('a Python function', () => {
  it('is loaded by plain pickle with its imports, helpers and constants', () => {
    const fn = pythonFunction(
      'import math\nfrom functools import lru_cache\n\nSCALE = 10\n\n@lru_cache\ndef area(r):\n    def square(x):\n        return x * x\n    return math.floor(math.pi * square(r) * SCALE)\n',
      { fileName: 'shapes.py' },
    );
    expect(fn.name).toBe('area');
    expect(callInPython(fn, 2)).toEqual(['area', 'shapes', 125]);
  });

  it('calls itself, keeps state between calls, and does not run what a file does as a program', () => {
    const fn = pythonFunction(
      'calls = []\ndef fact(n):\n    calls.append(n)\n    return 1 if n < 2 else n * fact(n - 1)\nif __name__ == "__main__":\n    raise SystemExit("as a program")\n',
    );
    expect(callInPython(fn, 10)).toEqual(['fact', 'function', 3_628_800]);
  });

  it('shows its file and line in a traceback', () => {
    const fn = pythonFunction('def f(x):\n    return 1 / x\n', { fileName: 'divide it.py' });
    expect(callInPython(fn, 0)).toMatch(/File "divide it\.py", line 2, in f\n\s+return 1 \/ x/);
  });

  it('takes any text: quotes, backslashes, other scripts, Windows line ends, a byte order mark', () => {
    const source =
      '\ufeff"""It\'s "quoted" \\\\ """\r\nTEXT = \'\'\'a\'"b\\n漢\'\'\'\r\ndef f():\r\n    return TEXT\r\n';
    expect(callInPython(pythonFunction(source))).toEqual(['f', 'function', 'a\'"b\n漢']);
  });

  it.each([
    ['"', 'x'],
    ["'", '\\\\'],
    ['"""', '\n\\"'],
  ])('may have a text of 12 MB in it: %s', (quote, part) => {
    const long = part.repeat((12 * 1024 * 1024) / part.length);
    const fn = pythonFunction(`TEXT = ${quote}${long}${quote}\ndef f():\n    return TEXT\n`);
    expect(fn.name).toBe('f');
  });

  it('is a pickle of protocol 4 that names nothing but eval', () => {
    const pickle = Buffer.from(decodeBase64(pythonFunction('def f():\n    return 1\n').code)).toString(
      'latin1',
    );
    expect(pickle.startsWith('\x80\x04cbuiltins\neval\n')).toBe(true);
  });
});

describe('which function it is', () => {
  const several = 'def first():\n    return 1\n\ndef second():\n    return 2\n';

  it('the one that is no helper: names of helpers begin with an underscore', () => {
    const helped = `def _twice(x):\n    return 2 * x\n\ndef area(r):\n    return _twice(r)\n\ndef __more():\n    pass\n`;
    expect(callInPython(pythonFunction(helped), 4)).toEqual(['area', 'function', 8]);
    expect(pythonFunction(helped, { name: '_twice' }).name).toBe('_twice');
    expect(pythonFunction('def _only():\n    return 1\n').name).toBe('_only');
    expect(() => pythonFunction(`${helped}${several}`)).toThrow(/: area, first, second\. Keep one/);
  });

  it('the one that is named, when there are several', () => {
    expect(callInPython(pythonFunction(several, { name: 'second' }))).toEqual(['second', 'function', 2]);
    expect(() => pythonFunction(several, { fileName: 'two.py' })).toThrow(
      /two\.py has several functions at its top level: first, second\. Keep one of them there, or name the one/,
    );
    expect(() => pythonFunction(several, { name: 'third' })).toThrow(/no function "third".*first, second/);
  });

  it.each([
    [
      'no function',
      'x = lambda: 1\nclass A:\n    def method(self):\n        pass\n',
      /no function at its top level/,
    ],
    ['an async function', 'async def f():\n    pass\n', /"f" of function\.py is async/],
    ['a zero byte', 'def f():\0\n    pass', /zero byte/],
  ])('is not found in a file with %s', (_what, source, message) => {
    expect(() => pythonFunction(source)).toThrow(message);
    expect(() => pythonFunction(source)).toThrow(expect.objectContaining({ code: 'invalid-function' }));
  });

  it.each([
    [
      'texts over several lines',
      "\"\"\"\ndef no():\n\"\"\"\nx = '''\ndef no2(): \\'''\n'''\ndef f():\n    pass\n",
    ],
    ['comments with quotes', '# it\'s\ndef f():\n    pass # """\n'],
    ['brackets over several lines', 'x = [\n1,\n]\ny = (\n"def no(): ("\n)\ndef f(\na,\nb\n):\n    pass\n'],
    ['continued lines', 'x = 1 + \\\ndef_ if False else 2\ndef f(): return "\\"def"\n'],
    ['an f-string and a hash in a text', 'x = f"{1}#"\ny = r\'\\\'\ndef f():\n    pass\n'],
    ['the same name twice', 'def f():\n    pass\ndef f():\n    return 2\n'],
    ['another script', '\ndef größe():\n    pass\n'],
    ['tabs and spaces', 'def \t f ():\n\tpass\n'],
    ['an unfinished text', 'def f():\n    pass\n"unfinished\ndef f(): pass\n'],
    ['a continued line inside of its head', 'def \\\n  f():\n    pass\n'],
    ['a form feed before it', 'x = 1\n\fdef f():\n    pass\n'],
    ['a backslash at the end of the file', 'def f():\n    pass\n\\'],
    ['conditions around functions', 'if True:\n    def no():\n        pass\ndef f():\n    pass\n'],
  ])('is found beside %s', (_what, source) => {
    expect(pythonFunction(source).name).toMatch(/^(f|größe)$/);
  });
});
