import { functionFileName } from './module-loader.js';
import { refuse, rules } from './rules.js';

/**
 * Freezes the built-in objects of a function's thread and the global names that stand for them, so that no call can change what the next one (or our own
 * code around it) relies on.
 *
 * Freezing alone breaks ordinary programs: assigning `object.toString = …` throws when the inherited `toString` is a
 * read-only data property. On prototypes that programs inherit from, each property therefore becomes an accessor
 * whose setter defines the property on the receiver, as assignment would have done. Prototypes of primitives keep
 * data properties: nothing inherits from them in practice, and accessors made string code nine times slower.
 */
const primitivePrototypes: readonly object[] = [
  String.prototype,
  Number.prototype,
  Boolean.prototype,
  Symbol.prototype,
  BigInt.prototype,
];

const prototypeOf = (value: object): object => Object.getPrototypeOf(value) as object;

/** Intrinsics that no global name reaches. */
function hiddenIntrinsics(): object[] {
  const generator = function* () {};
  const asyncGenerator = async function* () {};
  const asyncFunction = async () => {};
  const arrayIterator = prototypeOf([][Symbol.iterator]());
  return [
    prototypeOf(generator),
    prototypeOf(asyncGenerator),
    prototypeOf(asyncFunction),
    arrayIterator,
    prototypeOf(arrayIterator),
    prototypeOf(new Map()[Symbol.iterator]()),
    prototypeOf(new Set()[Symbol.iterator]()),
    prototypeOf(''[Symbol.iterator]()),
    prototypeOf('a'.matchAll(/a/g)),
    prototypeOf(Uint8Array),
  ];
}

const names = [
  'Object',
  'Function',
  'Array',
  'String',
  'Number',
  'Boolean',
  'Symbol',
  'BigInt',
  'Math',
  'JSON',
  'Reflect',
  'Proxy',
  'Promise',
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'WeakRef',
  'FinalizationRegistry',
  'Date',
  'RegExp',
  'Intl',
  'Atomics',
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
  'Uint8Array',
  'Int8Array',
  'Uint8ClampedArray',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'Error',
  'AggregateError',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
  'WebAssembly',
  'Iterator',
  'parseInt',
  'parseFloat',
  'isNaN',
  'isFinite',
  'decodeURI',
  'decodeURIComponent',
  'encodeURI',
  'encodeURIComponent',
  'escape',
  'unescape',
  'eval',
  'Buffer',
  'URL',
  'URLSearchParams',
  'TextEncoder',
  'TextDecoder',
  'AbortController',
  'AbortSignal',
  'Event',
  'EventTarget',
  'structuredClone',
  'queueMicrotask',
  'MessageChannel',
  'MessagePort',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'atob',
  'btoa',
] as const;

/** What programs set on `Error` itself by convention; it only shapes the text of stack traces. */
const writableStatics = new Set<PropertyKey>(['stackTraceLimit']);

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function makeOverridable(prototype: object, key: PropertyKey, value: unknown): void {
  const get = () => value;
  function set(this: unknown, next: unknown): void {
    if (this === prototype) throw new TypeError(`built-ins are frozen: cannot assign ${String(key)}`);
    if (!isObject(this)) return;
    Object.defineProperty(this, key, { value: next, writable: true, enumerable: true, configurable: true });
  }
  Object.freeze(get);
  Object.freeze(set);
  Object.defineProperty(prototype, key, { get, set, enumerable: false, configurable: false });
}

/** Stack traces show the function's own file and nothing of the host; a hook of the function's is ignored. */
function fixStackTraces(): void {
  const errorText = Error.prototype.toString;
  const { apply } = Reflect;
  const prepare = (error: unknown, sites: readonly NodeJS.CallSite[]): string => {
    let text = 'Error';
    try {
      text = apply(errorText, error, []) as string;
    } catch {
      // It fights back.
    }
    for (const site of sites) {
      const file = site.getFileName();
      if (file === functionFileName || file === null || file === undefined) text += `\n    at ${site}`;
    }
    return text;
  };
  Object.defineProperty(Error, 'prepareStackTrace', {
    get: () => prepare,
    set: () => undefined, // Libraries set it in passing; that must not throw.
    enumerable: false,
    configurable: false,
  });
}

/** `eval` and every constructor that makes code from text. V8 refuses them anyway; these say which rule it was. */
function refuseCodeFromText(): void {
  const constructors: readonly (readonly [object, string])[] = [
    [Function.prototype, 'new Function'],
    [prototypeOf(function* () {}), 'new GeneratorFunction'],
    [prototypeOf(async () => {}), 'new AsyncFunction'],
    [prototypeOf(async function* () {}), 'new AsyncGeneratorFunction'],
  ];
  for (const [prototype, name] of constructors) {
    const refusal = refuse(name, rules.codeFromText, prototype);
    const isWritable = prototype === Function.prototype;
    Object.defineProperty(prototype, 'constructor', {
      value: refusal,
      writable: isWritable,
      configurable: true,
    });
    if (isWritable) Object.defineProperty(globalThis, 'Function', { value: refusal });
  }
  Object.defineProperty(globalThis, 'eval', { value: refuse('eval', rules.codeFromText) });
}

/** Fixes what the names of built-ins stand for. Names that do not exist yet stay free for functions to define. */
function fixGlobalBindings(): void {
  for (const key of Reflect.ownKeys(globalThis)) {
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, key);
    if (descriptor?.configurable !== true) continue;
    // Node loads some of them when they are first read, and then redefines them: they are read now.
    const value: unknown = 'value' in descriptor ? descriptor.value : Reflect.get(globalThis, key);
    const { enumerable = false } = descriptor;
    Object.defineProperty(globalThis, key, { value, writable: false, enumerable, configurable: false });
  }
}

function freezeErrorConstructor(): void {
  for (const key of Reflect.ownKeys(Error)) {
    if (writableStatics.has(key)) continue;
    const descriptor = Object.getOwnPropertyDescriptor(Error, key);
    if (descriptor?.configurable === true && 'value' in descriptor) {
      Object.defineProperty(Error, key, { writable: false, configurable: false });
    }
  }
}

function collect(roots: readonly object[]): Set<object> {
  const found = new Set<object>();
  const pending = [...roots];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    for (const descriptor of Object.values(Object.getOwnPropertyDescriptors(next)) as PropertyDescriptor[]) {
      for (const part of [descriptor.value, descriptor.get, descriptor.set])
        if (isObject(part)) pending.push(part);
    }
    const parent: unknown = Object.getPrototypeOf(next);
    if (isObject(parent)) pending.push(parent);
  }
  return found;
}

/** Freezes every built-in of this thread. Call it last: nothing can be patched afterwards. */
export function freezeIntrinsics(): void {
  refuseCodeFromText();
  fixStackTraces();
  fixGlobalBindings();
  const roots = names.map((name) => Reflect.get(globalThis, name) as unknown).filter(isObject);
  const all = collect([...roots, ...hiddenIntrinsics()]);
  // globalThis is reachable from some of them, and functions may add globals of their own.
  all.delete(globalThis);
  const prototypes = new Set<object>();
  for (const value of all) {
    const prototype = typeof value === 'function' ? (value as { prototype?: unknown }).prototype : undefined;
    if (isObject(prototype) && !primitivePrototypes.includes(prototype)) prototypes.add(prototype);
    if (Object.hasOwn(value, 'constructor') && !primitivePrototypes.includes(value)) prototypes.add(value);
  }
  for (const prototype of prototypes) {
    for (const key of Reflect.ownKeys(prototype)) {
      const descriptor = Object.getOwnPropertyDescriptor(prototype, key);
      if (descriptor?.configurable === true && descriptor.writable === true)
        makeOverridable(prototype, key, descriptor.value);
    }
  }
  freezeErrorConstructor();
  for (const value of all) if (value !== Error && !ArrayBuffer.isView(value)) Object.freeze(value);
}
