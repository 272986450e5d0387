import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { resultOf, type SandboxFixture, startSandbox } from '../../testing/sandbox-fixture.js';
import { jsRuntime } from './js-runtime.js';

/**
 * Ways out of the realm of a function, each tried in a real executor process at the level without walls around it:
 * first that nothing that is shared can be changed, then that the objects of power are not had, then that they have
 * no power for whoever has them all the same.
 */
let sandbox: SandboxFixture;
let connections = 0;
const server = createServer(() => (connections += 1));
let port = 0;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
  sandbox = await startSandbox();
}, 30_000);
afterAll(async () => {
  await sandbox.stop();
  await new Promise((resolve) => server.close(resolve));
});

const run = async (source: string, ...values: unknown[]) => resultOf(await sandbox.call(source, values));

const imports = `import * as crypto from 'node:crypto'; import * as util from 'node:util';
import * as url from 'node:url'; import * as buffer from 'node:buffer';
const { createHash, createHmac } = crypto;
const protosOf = (value) => { const all = []; for (let p = value; p !== null; p = Object.getPrototypeOf(p)) all.push(p); return all; };
const emitter = protosOf(createHash('md5')).find((proto) => Object.hasOwn(proto, 'emit'));
const attempt = (work) => { try { const value = work(); return value === undefined ? 'undefined' : value; } catch (error) { return error.code ?? error.message; } };
const symbolOf = (object, name) => protosOf(object).flatMap(Object.getOwnPropertySymbols).find((s) => s.description === name);
const isReal = (value) => { try { return typeof value === 'object' && value !== null && value !== process
  && Object.prototype.toString.call(value) === '[object process]'; } catch { return false; } };
`;

/** What stays open, and why that is no way from one function to another: a thread runs one function only. */
const harmless = [
  /Symbol\(nodejs\.util\.promisify\.custom\)/, // made anew at each look
  /Symbol\(Symbol\.species\)\.\(\)$/, // what a getter answers for the walker's own receiver
  /^(generator|asyncGenerator)\.__proto__$/, // of the generators the walker made itself
  /^global\.__proto__$/, // the prototype of the global object, to which functions may add globals
  /kDependantSignals/, // a list of one signal
  /^aborted\.__proto__/, // of an error class that Node makes at its first use
  /^gzip\..*writecb/, // a callback of one stream
  /^secret\.__proto__/, // keys of Web Crypto come from work in the background only
];

/**
 * Walks everything from the globals, the imports and instances of what they make, and names each shared object that
 * can still be changed. Shared is what a global, an import, a prototype or a constructor leads to; the instances'
 * own state is the function's own.
 */
const walker = `${imports}
export default async () => {
  const mayChange = new Map([
    [globalThis, 'functions may add globals'],
    [Error, 'stackTraceLimit; its other properties are fixed one by one'],
  ]);
  // One flag that Node assigns to each emitter stays writable on their prototype.
  const isFixed = (value) => Object.isFrozen(value) || (value === emitter && !Object.isExtensible(value) &&
    Reflect.ownKeys(value).every((key) => key.description === 'kCapture' ||
      (({ configurable, writable }) => !configurable && !writable)(Object.getOwnPropertyDescriptor(value, key))));
  const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
  const seen = new Set(); const open = []; const pending = []; const own = [];
  const reach = (value, path, isShared) => { if (isObject(value) && path.length < 60 && path.filter((p) => p !== '').length < 14)
    (isShared ? pending : own).push([value, path]); };
  for (const key of Reflect.ownKeys(globalThis)) reach(globalThis[key], [String(key)], true);
  for (const [name, module] of Object.entries({ crypto, util, url, buffer }))
    for (const key of Object.keys(module)) reach(module[key], [name, key], true);
  const timer = setTimeout(() => 0, 1); const immediate = setImmediate(() => 0);
  const stream = createHash('md5'); stream.write('a'); stream.on('error', () => 0); stream.read();
  const web = new ReadableStream({ start: (c) => c.close() }); const bytes = new ReadableStream({ type: 'bytes', pull: (c) => c.close() });
  const pair = await globalThis.crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
  const secret = await globalThis.crypto.subtle.generateKey({ name: 'AES-GCM', length: 128 }, false, ['encrypt']);
  const { port1, port2 } = new MessageChannel();
  const failed = (work) => { try { work(); } catch (error) { return error; } };
  const samples = { stream, timer, immediate, web, bytes, pair, secret, port1, hmac: createHmac('md5', 'a'), copy: createHash('md5').copy(),
    timers: timer._idlePrev, keys: Object.getOwnPropertySymbols(pair.publicKey).map((s) => pair.publicKey[s]),
    iterator: stream[Symbol.asyncIterator](), resource: new emitter.constructor.EventEmitterAsyncResource({ name: 'a' }),
    events: emitter.constructor.on(stream, 'x'), reader: bytes.getReader({ mode: 'byob' }), values: web.values(), writer: new WritableStream().getWriter(),
    transform: new TransformStream(), decoder: new TextDecoder(), text: new TextDecoderStream(), gzip: new CompressionStream('gzip'),
    signal: AbortSignal.timeout(5), any: AbortSignal.any([gantry.signal]), url: new URL('a:b'), params: new URLSearchParams('a=b').entries(),
    legacy: url.parse('a://b'), mime: new util.MIMEType('a/b;c=d'), blob: new Blob(['a']), file: new buffer.File([], 'a'), event: new Event('a'),
    mark: performance.mark('a'), generator: (function* () {})(), asyncGenerator: (async function* () {})(), memory: new WebAssembly.Memory({ initial: 1 }),
    segments: new Intl.Segmenter().segment('a'), segment: new Intl.Segmenter().segment('a')[Symbol.iterator](),
    matches: 'a'.matchAll(/a/g), entries: new Map([[1, 1]]).entries(), weak: new WeakRef({}), errmap: util.getSystemErrorMap(),
    rule: failed(() => fetch('')), node: failed(() => createHash('no')), inspect: util.inspect.defaultOptions,
    aborted: await web.pipeTo(new WritableStream()).catch((error) => error), callback: util.callbackify(async () => 1), promised: util.promisify(() => 0) };
  for (const [name, value] of Object.entries(samples)) reach(value, [name], false);
  while (pending.length > 0 || own.length > 0) {
    const isShared = pending.length > 0;
    const [value, path] = isShared ? pending.pop() : own.pop();
    if (seen.has(value)) continue;
    seen.add(value);
    if (isReal(value)) open.push('PROCESS ' + path.join('.'));
    if (isShared && !mayChange.has(value) && !ArrayBuffer.isView(value) && !isFixed(value)) open.push(path.join('.'));
    reach(Object.getPrototypeOf(value), [...path, '__proto__'], true);
    if (ArrayBuffer.isView(value)) continue;
    for (const key of Reflect.ownKeys(value)) {
      const { value: held, get, set } = Object.getOwnPropertyDescriptor(value, key);
      const next = [...path, String(key)];
      reach(held, next, isShared); reach(get, next, isShared); reach(set, next, isShared);
      if (get !== undefined) try { const got = get.call(value); if (got instanceof Promise) got.catch(() => 0); reach(got, [...next, '()'], typeof got === 'function' && Object.hasOwn(got, 'prototype')); } catch {}
    }
  }
  clearTimeout(timer); clearImmediate(immediate); port1.close();
  return { seen: seen.size, open };
};`;

describe('nothing that functions share with Node can be changed', () => {
  it('everything reachable is frozen, and the real process is not among it', async () => {
    const { seen, open } = (await run(walker)) as { seen: number; open: string[] };
    expect(seen).toBeGreaterThan(2000);
    expect(open.filter((path) => !harmless.some((pattern) => pattern.test(path)))).toEqual([]);
  });

  it('hashes and their streams still work, also as streams and in subclasses', async () => {
    const source = `${imports}
    export default async () => {
      const hash = createHash('md5'); hash.update = hash.update.bind(hash); const data = [];
      hash.on('data', (chunk) => data.push(chunk.toString('hex'))); hash.end('a');
      await new Promise((resolve) => hash.once('end', resolve));
      const { Readable } = protosOf(hash).map((p) => p.constructor).find((c) => c.Readable !== undefined);
      class Numbers extends Readable { constructor() { super({ objectMode: true }); this.n = 0; } _read() { this.push(this.n < 3 ? ++this.n : null); } }
      const numbers = []; for await (const n of new Numbers()) numbers.push(n);
      const zipped = await textLengthOf(new Blob(['a'.repeat(100)]).stream().pipeThrough(new CompressionStream('gzip')).pipeThrough(new DecompressionStream('gzip')));
      const { port1, port2 } = new MessageChannel(); const got = new Promise((resolve) => port2.once('message', resolve)); port1.postMessage({ a: 1 });
      const message = await got; port1.close();
      return [data, numbers, zipped, message, util.styleText('red', 'x').includes('x'), [...new Intl.Segmenter().segment('ab')].length,
        structuredClone(new Blob(['a'])).size, url.pathToFileURL('x').href];
    };
    async function textLengthOf(stream) { let text = ''; for await (const part of stream.pipeThrough(new TextDecoderStream())) text += part; return text.length; }`;
    expect(await run(source)).toEqual([
      ['0cc175b9c0f1b6a831c399e269772661'],
      [1, 2, 3],
      100,
      { a: 1 },
      true,
      2,
      1,
      'file:///x',
    ]);
  });
});

/** Every way to the process that a patched `emit` or a listener's `this` could open; `undefined` when none does. */
const waysToProcess = [
  ['a patched emit', 'emitter.emit = function () { found(this); return true; }; later();'],
  [
    'a defined emit',
    'Object.defineProperty(emitter, "emit", { value() { found(this); return true; } }); later();',
  ],
  ['Object.prototype', 'Object.prototype.emit = function () { found(this); }; later();'],
  [
    'a domain',
    'emitter.domain = { emit() { found(this); } }; emitter.constructor.usingDomains = true; later();',
  ],
  [
    'captured rejections',
    'emitter.constructor.captureRejections = true; emitter[Symbol.for("nodejs.rejection")] = function () { found(this); }; later();',
  ],
  [
    'the init of emitters',
    'emitter.constructor.init = function () { found(this); }; createHash("md5").on("x", () => 0);',
  ],
  [
    'a stack hook',
    'Error.prepareStackTrace = (e, sites) => { for (const s of sites) { found(s.getThis()); found(s.getFunction()); } }; new Error("x").stack;',
  ],
  [
    'the stack of a failed call',
    'Error.prepareStackTrace = (e, sites) => sites.map((s) => found(s.getThis())); try { null.x; } catch (e) { e.stack; }',
  ],
  ['a function from text', 'found((0, (() => 1).constructor)("return process")());'],
  [
    'a callback of timers',
    'setTimeout(function () { found(this); found(this?.constructor); for (let t = this._idlePrev; t; t = t._idlePrev) { found(t); if (t === this) break; } }, 1);',
  ],
  [
    'the list of timers',
    'const t = setTimeout(() => 0, 20); for (let n = t._idlePrev, i = 0; n && i < 50; n = n._idlePrev, i += 1) for (const k of Reflect.ownKeys(n)) found(n[k]);',
  ],
  [
    'the list of immediates',
    'const t = setImmediate(function () { found(this); }); for (const k of Reflect.ownKeys(t)) found(t[k]);',
  ],
  [
    'a microtask',
    'queueMicrotask(function () { found(this); }); process.nextTick(function () { found(this); });',
  ],
  [
    'async resources',
    'const R = emitter.constructor.EventEmitterAsyncResource; const r = new R({ name: "x" }); found(r.asyncResource); r.asyncResource.runInAsyncScope(function () { found(this); });',
  ],
  [
    'imports of WebAssembly',
    'const bytes = new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,2,7,1,1,97,1,98,0,0,8,1,0]); new WebAssembly.Instance(new WebAssembly.Module(bytes), { a: { b() { found(this); } } });',
  ],
  [
    'species',
    'class P extends Promise { static get [Symbol.species]() { found(this); return Promise; } } await new P((r) => r(1)).then(() => 1); Promise[Symbol.species] = function () { found(this); };',
  ],
  [
    'inspection',
    'console.log({ [util.inspect.custom](...args) { found(this); args.forEach(found); args.forEach((a) => found(a?.constructor)); return "x"; } }); util.inspect(new Proxy({}, { get(t, k, r) { found(r); return undefined; } }));',
  ],
  [
    'promisify and callbackify',
    'util.promisify(function () { found(this); })().catch(() => 0); util.callbackify(async function () { found(this); })(() => 0); util.promisify.custom; found(util.promisify({ [util.promisify.custom]: 1 } && (() => 0)));',
  ],
  [
    'signals',
    'gantry.signal.addEventListener("abort", function () { found(this); }); gantry.signal.dispatchEvent(new Event("abort")); util.aborted(AbortSignal.abort(), {}).then(found);',
  ],
  [
    'a message port',
    'const { port1, port2 } = new MessageChannel(); port2.onmessage = function (e) { found(this); found(e.target); found(e.source); }; port1.postMessage(1);',
  ],
  [
    'observers',
    'new PerformanceObserver(function (l, o) { found(this); found(l); found(o); }).observe({ entryTypes: ["mark"] }); performance.mark("x");',
  ],
  [
    'url and the rest of util',
    'found(url.domainToASCII("a")); found(util.types); found(util.getSystemErrorMap()); found(util.debuglog); url.domainToUnicode({ toString() { found(this); return "a"; } });',
  ],
] as const;

/** Puts the object that the function got into `got`; whatever stops it on the way is fine. */
const hunt = (way: string) => `${imports}
export default async () => {
  const got = [];
  const found = (value) => { if (isReal(value) || isReal(value?.constructor)) got.push('process'); if (typeof value?.require === 'function') got.push('module'); };
  const later = () => queueMicrotask(() => { throw new Error('for the hook'); });
  try { ${way.replace('later();', '')} } catch {}
  ${way.includes('later();') ? 'later();' : ''}
  await new Promise((resolve) => setTimeout(resolve, 30));
  return got;
};`;

describe('the real process is not had', () => {
  it.each(waysToProcess)('by %s', async (_name, way) => {
    const result = await run(hunt(way));
    if (way.includes('later()'))
      expect(result).toMatch(/^function-error: Error: for the hook \(uncaught exception\)/);
    else expect(result).toEqual([]);
  });

  it('by the getters of a result, and an error there is the call’s', async () => {
    const source = `${imports}
    const seen = [];
    export default (what) => {
      if (what === 'then') return { get then() { seen.push(isReal(this)); return undefined; }, toJSON() { seen.push(isReal(this)); return seen; } };
      return new Proxy({}, { get: (target, key, receiver) => (key === 'toJSON' ? () => [...seen, isReal(receiver)] : undefined) });
    };`;
    expect(await run(source, 'then')).toEqual([false, false]);
    expect(await run(source, 'proxy')).toEqual([false, false, false]);
  });

  it('a swallowed exception or rejection still fails the call', async () => {
    const source = (fault: string) => `${imports}
    export default async () => {
      try { emitter.emit = () => true; } catch {}
      try { emitter.listeners = () => []; emitter.on = () => 1; process.on('uncaughtException', () => true); } catch {}
      ${fault}
      await new Promise((resolve) => setTimeout(resolve, 1000)); return 'swallowed';
    };`;
    expect(await run(source('queueMicrotask(() => { throw new Error("a"); });'))).toMatch(
      /^function-error: Error: a \(uncaught exception\)/,
    );
    expect(await run(source('Promise.reject(new Error("b"));'))).toMatch(
      /^function-error: Error: b \(unhandled rejection\)/,
    );
  });
});

describe('a clone of a forged object', () => {
  const forge = (spec: string, work: string) => `${imports}
  export default async (port) => {
    const blob = new Blob([]);
    Object.defineProperty(blob, symbolOf(blob, 'messaging_clone_symbol'), { value: () => ({ data: { handle: { fd: 3 } }, deserializeInfo: '${spec}' }) });
    const deserialize = symbolOf(blob, 'messaging_deserialize_symbol');
    for (const proto of [emitter, Object.prototype, Function.prototype]) try { proto[deserialize] = () => 0; } catch {}
    try { const made = structuredClone(blob); return [made.constructor.name, ${work}]; } catch (error) { return 'refused'; }
  };`;

  it.each([
    'internal/fs/promises:FileHandle',
    'net:Socket',
    'net:Server',
    'dgram:Socket',
    'child_process:ChildProcess',
    'worker_threads:Worker',
    'fs:ReadStream',
    'module:Module',
    'internal/process/worker_thread_only:x',
  ])('gives no %s, neither by structuredClone nor over a port', async (spec) => {
    expect(await run(forge(spec, 'made.fd'), port)).toBe('refused');
  });
});

/** Stands in for a hole in the realm: the thread's file of piscina shows the function what it should never have. */
describe('whoever has the real objects all the same', () => {
  let holed: SandboxFixture;
  beforeAll(async () => {
    const stage = async (folder: string) => {
      await jsRuntime.stage(folder);
      const entry = `'use strict';
const names = ['net', 'tls', 'http', 'http2', 'dgram', 'dns', 'worker_threads', 'child_process', 'fs', 'vm', 'inspector', 'v8', 'module'];
const hole = { process, module, require, Module: require('node:module'), builtins: Object.fromEntries(names.map((n) => [n, require(n)])) };
module.exports = import('./thread/run-call.js').then((m) => { const serve = m.createServe(); globalThis.holeOfTest = hole; return serve; });
`;
      await writeFile(join(folder, 'languages', 'js', 'thread-entry.cjs'), entry);
    };
    holed = await startSandbox({ runtimes: [{ ...jsRuntime, stage }] });
  }, 30_000);
  afterAll(() => holed.stop());
  const inside = async (expression: string) =>
    resultOf(
      await holed.call(
        `${imports} export default async (port) => { const { process: real, module, require, Module, builtins } = holeOfTest; const { net, tls, http, http2, dgram, dns, fs, vm, inspector, v8, child_process, worker_threads } = builtins; return await attempt(() => (${expression})); };`,
        [port],
      ),
    );

  it.each([
    'require("net")',
    'require.main.require("net")',
    'module.require("fs")',
    'Module._load("net")',
    'Module.createRequire("/x")("net")',
    'new Module("x").require("net")',
    'new Module("x")._compile("1", "x")',
    'module.constructor._extensions[".js"](module, "/x")',
    'real.mainModule',
    'real.mainModule.require("net")',
    'real.binding("tcp_wrap")',
    'real._linkedBinding("x")',
    'real.dlopen({}, "/x")',
    'real.getBuiltinModule("net")',
    'real.kill(1, 0)',
    'real._kill(1, 0)',
    'real.reallyExit(0)',
    'real.report',
    'real.setUncaughtExceptionCaptureCallback(() => 0)',
    'net.connect(port, "127.0.0.1")',
    'net.createConnection({ port, host: "127.0.0.1" })',
    'new net.Socket()',
    'new net.Socket({ fd: 3 })',
    'new net.Server().listen(0)',
    'tls.connect({ port, host: "127.0.0.1" })',
    'http.get({ port, host: "127.0.0.1", agent: false })',
    'dgram.createSocket("udp4")',
    'dns.lookup("localhost", () => 0)',
    'new dns.Resolver()',
    'new worker_threads.Worker("1", { eval: true })',
    'child_process.spawn("id")',
    'child_process.execSync("id")',
    'fs.readFileSync("/etc/passwd")',
    'fs.writeSync(3, "x")',
    'fs.createReadStream("", { fd: 3 })',
    'vm.runInThisContext("1")',
    'new vm.Script("1")',
    'new inspector.Session()',
    'v8.setFlagsFromString("--allow-natives-syntax")',
  ])('%s meets the rule', async (expression) => {
    expect(await inside(expression)).toBe('ERR_GANTRY_RULE');
  });

  it.each([
    'net.Socket.prototype.connect.call({}, port)',
    'dns.promises.resolve("localhost")',
    'fs.promises.readFile("/etc/passwd")',
  ])('%s is not there at all', async (expression) => {
    expect(await inside(expression)).toMatch(/ERR_GANTRY_RULE|not a function|of undefined/);
  });

  it('neither HTTP/2 nor any of them reached the listener', async () => {
    await inside('http2.connect("http://127.0.0.1:" + port).on("error", () => 0) && 1');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(connections).toBe(0);
  });

  it('cannot be told to swallow exceptions, and shows nothing of the host', async () => {
    expect(
      await inside(
        '[real.cwd(), real.env, real.argv, real.execArgv, real.listenerCount("uncaughtException")]',
      ),
    ).toEqual(['/', {}, [], [], 0]);
    const patch =
      'attempt(() => { real.emit = () => true; }), attempt(() => { real._fatalException = () => true; }), queueMicrotask(() => { throw new Error("x"); }), new Promise((r) => setTimeout(r, 500))';
    expect(await inside(patch)).toMatch(/^function-error: Error: x \(uncaught exception\)/);
  });
});
