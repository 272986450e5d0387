import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { resultOf, type SandboxFixture, startSandbox } from '../../testing/sandbox-fixture.js';

/** What functions can do and what they meet when they do what they may not: each in a real executor process. */
let sandbox: SandboxFixture;
beforeAll(async () => {
  sandbox = await startSandbox();
}, 30_000);
afterAll(() => sandbox.stop());

const run = async (source: string, ...values: unknown[]) => resultOf(await sandbox.call(source, values));
/** The expression inside an async function, so that `await` works. */
const evaluate = (expression: string, ...values: unknown[]) =>
  run(`export default async (...args) => { return (${expression}); }`, ...values);
const add = 'export default (a, b) => a + b;';

describe('a function', () => {
  it('gets its parameters and returns its result', async () => {
    expect(await run(add, 1, 2)).toBe(3);
    expect(await evaluate('args', 'ü', { a: [1, null] }, false)).toEqual(['ü', { a: [1, null] }, false]);
  });

  it('answers with the exact bytes of the protocol', async () => {
    const outcome = await sandbox.call('export default () => ({ a: "é" });');
    const res = Buffer.from('{"a":"é"}').toString('base64');
    expect(outcome.kind === 'succeeded' && outcome.answer.toString()).toBe(
      `{"ret_code":0,"res":"${res}","err":null}`,
    );
  });

  it('returns null for undefined, and takes results of megabytes', async () => {
    expect(await run('export default () => undefined;')).toBeNull();
    expect(await run('export default (n) => "x".repeat(n);', 3_000_000)).toBe('x'.repeat(3_000_000));
    expect(await run('export default (text) => text.length;', 'y'.repeat(3_000_000))).toBe(3_000_000);
  });

  it('keeps its state between calls', async () => {
    const counter = 'let n = 0; export default () => ++n;';
    expect([await run(counter), await run(counter), await run(counter)]).toEqual([1, 2, 3]);
  });

  it('imports the pure built-ins, under both names, statically and dynamically', async () => {
    const source = `import { createHash } from 'crypto'; import util, { inspect } from 'node:util';
      import { Buffer as B } from 'buffer'; import { parse } from 'node:url';
      export default async () => [createHash('md5').update('a').digest('hex'), inspect({ a: 1 }), B.from('é').length,
        parse('http://h/p').pathname, typeof util.format, typeof (await import('node:crypto')).createHmac];`;
    const md5 = '0cc175b9c0f1b6a831c399e269772661';
    expect(await run(source)).toEqual([md5, '{ a: 1 }', 2, '/p', 'function', 'function']);
  });

  it('sees a frozen gantry with the values of its own call', async () => {
    const source = `export default () => [gantry.executionId, gantry.deadlineMs - Date.now() > 5000,
      gantry.signal.aborted, Object.isFrozen(gantry), Object.keys(gantry).sort().join()];`;
    const keys = 'deadlineMs,executionId,log,progress,signal';
    expect(await run(source)).toEqual(['f1.0190', true, false, true, keys]);
  });

  it('reports progress while it runs, even in a loop that never yields', async () => {
    const seen: number[] = [];
    const source =
      'export default () => { gantry.progress(0.25); const end = Date.now() + 100; while (Date.now() < end); };';
    await sandbox.call(source, [], { onProgress: (perMille) => seen.push(perMille) });
    expect(seen).toEqual([250]);
  });

  it('has what it prints captured, also by process.stdout', async () => {
    const source = `export default () => { console.log('a', { b: 1 }); console.error('c'); gantry.log('d');
      process.stdout.write('e\\n'); console.table([{ x: 1 }]); };`;
    const { log } = await sandbox.call(source);
    expect(log.toString()).toMatch(/^a \{ b: 1 \}\nc\nd\ne\n.*x/s);
  });

  it('cannot flood: the log ends at its limit with a marker', async () => {
    const source = `export default () => { for (let i = 0; i < 1e6; i += 1) console.log('flood'.repeat(20));
      process.stdout.write('x'.repeat(1e8)); return 'done'; };`;
    const outcome = await sandbox.call(source);
    expect(resultOf(outcome)).toBe('done');
    expect(outcome.log.length).toBe(64 * 1024 + '\n[log truncated]\n'.length);
    expect((await sandbox.call(add, [1, 1])).log.length).toBe(0);
  });

  it('may use ordinary JavaScript although built-ins are frozen', async () => {
    const source = `
      class Shape { constructor() { this.toString = () => 'shape'; } }
      class Named extends Error { constructor(m) { super(m); this.name = 'Named'; this.message = m + '!'; } }
      function Old() {} Old.prototype.toString = function () { return 'old'; };
      function Sub() {} Sub.prototype = Object.create(Old.prototype); Sub.prototype.constructor = Sub;
      class Numbers extends Map { get(k) { return super.get(k) ?? 0; } }
      function* count() { yield 1; yield 2; }
      export default async () => {
        const o = {}; o.toString = () => 'own'; o.constructor = 1; o.hasOwnProperty = 2;
        const list = []; list.push = () => 7;
        const f = () => 1; f.toString = () => 'f';
        const d = new Date(0); d.getTime = () => 5;
        const bytes = new Uint8Array([3, 1, 2]); bytes.sort();
        const it = count(); Error.stackTraceLimit = 5; globalThis.mine = 1;
        const pauses = await Promise.all([1, 2].map((n) => new Promise((r) => setTimeout(r, n, n))));
        return [String(new Shape()), String(new Named('n')), String(new Sub()), new Sub().constructor === Sub,
          new Numbers().get('q'), String(o), o.constructor, Object.keys(o).length, list.push(1), String(f), d.getTime(),
          [...bytes], [...it], pauses, 'a-b'.replace(/(\\w)-(\\w)/, '$2$1'), new Set([1, 1]).size, mine,
          structuredClone({ a: new Date(0) }).a.toISOString(), JSON.stringify({ a: 1 }), new Intl.NumberFormat('en').format(1e3)];
      };`;
    expect(await run(source)).toEqual([
      'shape',
      'Named: n!',
      'old',
      true,
      0,
      'own',
      1,
      3,
      7,
      'f',
      5,
      [1, 2, 3],
      [1, 2],
      [1, 2],
      'ba',
      1,
      1,
      '1970-01-01T00:00:00.000Z',
      '{"a":1}',
      '1,000',
    ]);
  });
});

describe('what fails says why', () => {
  it.each([
    [
      'an exception',
      'function inner() { null.x; }\nexport default () => { inner(); };',
      /^function-error: TypeError: Cannot read properties of null.*\n\s+at inner \(function\.js:1:\d+\)\n\s+at default \(function\.js:2/,
    ],
    ['a thrown string', 'export default () => { throw "no"; };', /^function-error: thrown string: no$/],
    [
      'a thrown object that fights back',
      'export default () => { throw new Proxy({}, { get() { throw 1; } }); };',
      /^function-error: Error$/,
    ],
    ['a syntax error', 'export default () => {{', /^invalid-function: SyntaxError: .* \(function\.js:1\)$/],
    [
      'the line of a syntax error',
      'import { inspect } from "util"; import {\n  Buffer,\n} from "buffer";\nexport const a = 1;\nexport default async (v) => {\n  let x = 1;\n  let x = 2;\n};',
      /^invalid-function: SyntaxError: Identifier 'x' has already been declared \(function\.js:7\)$/,
    ],
    [
      'a syntax error whose line cannot be found',
      'const u = import.meta;\nexport default () => { return 1; };\nlet x = 08;',
      /^invalid-function: SyntaxError: Decimals with leading zeros[^(]*$/,
    ],
    [
      'a text that does not parse while the module runs',
      'JSON.parse("{");\nexport default 1;',
      /^invalid-function: SyntaxError: Expected property name[\s\S]*function\.js:1:\d+/,
    ],
    ['a module that throws', 'throw new Error("top"); export default 1;', /^invalid-function: Error: top/],
    [
      'no default export',
      'export const a = 1;',
      /^invalid-function: the default export must be a function, it is missing/,
    ],
    ['another default export', 'export default 5;', /^invalid-function: .* it is number/],
    ['a BigInt result', 'export default () => 1n;', /^result-not-serializable: .*BigInt/],
    [
      'a cyclic result',
      'export default () => { const a = {}; a.a = a; return a; };',
      /^result-not-serializable: .*circular/,
    ],
    [
      'a function as result',
      'export default () => () => 1;',
      /^result-not-serializable: a function has no JSON form/,
    ],
    [
      'a getter that throws',
      'export default () => ({ get a() { throw new Error("getter"); } });',
      /^result-not-serializable: getter/,
    ],
    [
      'a result beyond the limit',
      'export default () => "x".repeat(5e6);',
      /^result-too-large: the result has 5000002 bytes, the limit is 4194304/,
    ],
    [
      'a result of more than its heap',
      'export default () => ({ a: ["x".repeat(1e8), "y".repeat(1e8)] });',
      /^result-too-large: larger than 4194304 bytes/,
    ],
    [
      'a rejection nobody handles',
      'export default async () => { Promise.reject(new Error("late")); await new Promise((r) => setTimeout(r, 3000)); };',
      /^function-error: Error: late \(unhandled rejection\)/,
    ],
    [
      'a rejection nobody handles, in the turn of the answer',
      'export default () => { Promise.reject(new Error("zz")); return 2; };',
      /^function-error: Error: zz \(unhandled rejection\)/,
    ],
    [
      'a toJSON that throws what fights back',
      'export default () => ({ toJSON() { throw new Proxy({}, { getPrototypeOf() { throw 1; }, get() { throw 2; } }); } });',
      /^result-not-serializable: it throws while being read/,
    ],
    [
      'a thrown Proxy that hides what it is',
      'export default () => { throw new Proxy({}, { getPrototypeOf() { throw 1; }, get() { throw 2; } }); };',
      /^function-error: Error$/,
    ],
    [
      'an exception in a timer',
      'export default async () => { setTimeout(() => { throw new TypeError("boom"); }, 5); await new Promise((r) => setTimeout(r, 3000)); };',
      /^function-error: TypeError: boom \(uncaught exception\)/,
    ],
    [
      'a then that throws',
      'export default () => ({ get then() { throw new Error("trap"); } });',
      /^function-error: Error: trap/,
    ],
  ])('%s', async (_name, source, expected) => {
    expect(await run(source)).toMatch(expected);
    expect(await run(add, 2, 3)).toBe(5);
  });

  it.each([
    ['not an array', '{}', 'the parameters are not a JSON array'],
    ['not JSON', '[', 'the parameters are not a JSON array'],
    ['numbers', '[1]', 'parameter 1 is not a string'],
    ['bad base64', '["MQ==","a*b="]', 'parameter 2 is not base64'],
    ['base64 of something else', '["MQ==","////"]', 'parameter 2 is not JSON'],
  ])('parameters: %s', async (_name, text, reason) => {
    expect(resultOf(await sandbox.call(add, [], { parameters: Buffer.from(text) }))).toContain(
      `invalid-parameters: ${reason}`,
    );
  });

  it('an error shows no path of the host', async () => {
    const text = await run(
      'import { createHash } from "crypto"; export default () => createHash("nonsense");',
    );
    expect(text).toMatch(/^function-error: /);
    expect(text).not.toMatch(/gantry-executor|node:internal|file:/);
  });

  it('an error that came between calls leaves the next call unharmed', async () => {
    const source = 'export default () => { setTimeout(() => { throw new Error("after"); }, 20); return 1; };';
    expect(await run(source)).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await run(source)).toBe(1);
  });
});

describe('a warm function', () => {
  const longMs = 10_000;
  const countTo =
    'let n = 0; export default (ms) => { const end = Date.now() + ms; while (Date.now() < end); return ++n; };';

  it('that forgets a rejection in the turn of its answer fails, and starts afresh for the next call', async () => {
    const source =
      'let n = 0; export default (bad) => { if (bad) Promise.reject(new Error("forgotten")); return ++n; };';
    expect(await run(source, false)).toBe(1);
    expect(await run(source, true)).toMatch(/^function-error: Error: forgotten \(unhandled rejection\)/);
    expect(await run(source, false)).toBe(1);
  });

  it('is stopped by the deadline of its own call, not by that of a call before', async () => {
    const call = async (workMs: number, runMs: number) =>
      resultOf(await sandbox.call(countTo, [workMs], { runMs }));
    expect(await call(0, longMs)).toBe(1);
    expect(await call(0, 300)).toBe(2);
    expect(await call(600, longMs)).toBe(3);
    expect(await call(longMs, 200)).toBe('execution-timeout: stopped after 200 ms');
    expect(await call(600, longMs)).toBe(1);
  });

  it.each([
    [10, 0],
    [10, 11_000],
    [10, 13_000],
    [8900, 0],
    [9300, 0],
    [8900, 400],
    [40_000, 20_000],
    [70_000, 10],
  ])('answers %d characters with %d of log whole, twice', async (answerChars, logChars) => {
    const source =
      'export default (a, l) => { if (l > 0) gantry.log("l".repeat(l - 1)); return "ä".repeat(a / 2); };';
    for (let i = 0; i < 2; i += 1) {
      const outcome = await sandbox.call(source, [answerChars, logChars]);
      expect(resultOf(outcome)).toBe('ä'.repeat(answerChars / 2));
      expect(outcome.log.toString()).toBe(logChars === 0 ? '' : `${'l'.repeat(logChars - 1)}\n`);
    }
  });
});

describe('what a function may not do meets the rule by name', () => {
  const processRule = 'a function may not look into or change the process it runs in';
  it.each([
    'exit',
    'kill',
    'abort',
    'dlopen',
    'binding',
    '_linkedBinding',
    'chdir',
    'setuid',
    'umask',
    'reallyExit',
    'getBuiltinModule',
  ])('process.%s', async (name) => {
    expect(await evaluate(`process.${name}(1)`)).toContain(
      `process.${name} is not available to functions: ${processRule}`,
    );
  });

  it.each(['report', 'mainModule', 'permission', 'ppid'])('process.%s is not even read', async (name) => {
    expect(await evaluate(`process.${name}`)).toContain(`process.${name} is not available to functions`);
  });

  it.each([
    'fetch("http://127.0.0.1")',
    'new WebSocket("ws://127.0.0.1")',
    'new EventSource("http://127.0.0.1")',
  ])('%s', async (expression) => {
    expect(await evaluate(expression)).toContain('is not available to functions: functions have no network');
  });

  it.each([
    'fs',
    'node:fs',
    'node:child_process',
    'net',
    'node:http',
    'dns',
    'module',
    'vm',
    'worker_threads',
    'node:process',
    'inspector',
    'os',
    './x.js',
    'data:text/javascript,export default 1',
    'file:///etc/passwd',
  ])('import of %s, static or dynamic', async (specifier) => {
    const rule = `import of "${specifier}" is not available to functions: functions may import only url, buffer, util and crypto`;
    expect(await run(`import x from '${specifier}'; export default () => 1;`)).toContain(rule);
    expect(await evaluate(`await import('${specifier}')`)).toContain(rule);
  });

  it.each([
    'eval("1")',
    '(0, eval)("1")',
    'new Function("return 1")()',
    '(() => 1).constructor("return process")()',
    '(async () => 1).constructor("return 1")()',
    'await Promise.resolve("1").then(eval)',
  ])('code from text: %s', async (expression) => {
    expect(await evaluate(expression)).toContain(
      'is not available to functions: a function may not make code from text',
    );
  });

  it('the environment is empty, and so are the ways around it', async () => {
    expect(await evaluate('[process.env, process.argv, process.execArgv]')).toEqual([{}, [], []]);
    expect(
      await evaluate(
        '[typeof require, typeof module, typeof Response, typeof navigator, Object.keys(import.meta)]',
      ),
    ).toEqual(['undefined', 'undefined', 'undefined', 'undefined', []]);
  });

  it('built-ins are frozen, and what one function did to its globals the next does not see', async () => {
    expect(await evaluate('Array.prototype.map = 1')).toContain('built-ins are frozen');
    expect(await evaluate('Object.prototype.polluted = 1')).toContain('not extensible');
    expect(await evaluate('(Reflect.set(JSON, "stringify", 1), typeof JSON.stringify)')).toBe('function');
    expect(await evaluate('globalThis.Map = 1')).toContain('read only');
    expect(await evaluate('(globalThis.left = 2, left)')).toBe(2);
    expect(await evaluate('[typeof Map, typeof left]')).toEqual(['function', 'undefined']);
  });

  it('no name of a built-in can be made to stand for something else', async () => {
    const source = `export default () => {
      const names = Reflect.ownKeys(globalThis).filter((key) => key !== 'mine');
      const changed = names.filter((key) => Reflect.set(globalThis, key, () => 'forged')
        || Reflect.defineProperty(globalThis, key, { value: () => 'forged' }) || Reflect.deleteProperty(globalThis, key));
      globalThis.mine = names.length;
      return [changed.map(String), ['Buffer', 'JSON', 'Atomics', 'setImmediate', 'performance', 'Uint8Array',
        'TextEncoder', 'Promise', 'globalThis'].filter((name) => !names.includes(name)), mine > 80];
    };`;
    expect(await run(source)).toEqual([[], [], true]);
    expect(await run(source)).toEqual([[], [], true]);
  });

  it('stack traces show the function and no path of the host, and a hook of its own is ignored', async () => {
    const source = `export default () => {
      const seen = [];
      Error.prepareStackTrace = (error, sites) => { seen.push(...sites.map((site) => site.getFileName())); return 'hooked'; };
      return [new Error('x').stack, seen];
    };`;
    const [stack, seen] = (await run(source)) as [string, unknown[]];
    expect(stack).toMatch(/^Error: x\n {4}at default \(function\.js:4:\d+\)$/);
    expect(stack).not.toMatch(/gantry-executor|file:|run-call/);
    expect(seen).toEqual([]);
  });

  it('functions stay instances of Function, and the constructors of all kinds are refused', async () => {
    expect(
      await evaluate(
        '[(() => 1) instanceof Function, (async () => 1) instanceof Function, (() => 1).constructor === Function]',
      ),
    ).toEqual([true, true, true]);
  });
});
