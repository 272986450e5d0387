import { functionFileName } from './module-loader.js';
import { refuse, rules } from './rules.js';
import { samples } from './samples.js';

/** Taken while this file is loaded: the global name becomes what functions see. */
const realProcess: object = process;

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

/** What programs set on `Error` itself by convention; it only shapes the text of stack traces. */
const writableStatics = new Set<PropertyKey>(['stackTraceLimit']);

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function makeOverridable(prototype: object, key: PropertyKey, value: unknown): void {
  const get = () => value;
  // A method: a function would have a prototype of its own, one more object to share.
  const { set } = {
    set(this: unknown, next: unknown): void {
      if (this === prototype) throw new TypeError(`built-ins are frozen: cannot assign ${String(key)}`);
      if (!isObject(this)) return;
      Object.defineProperty(this, key, { value: next, writable: true, enumerable: true, configurable: true });
    },
  };
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

/** What segments are made of has no name, and making one for a sample costs as much as the rest of a thread's start. */
function fixSegmentsWhenMade(): void {
  const { prototype } = Intl.Segmenter;
  const { segment } = prototype;
  const { freeze, getPrototypeOf } = Object;
  const { apply, ownKeys, get } = Reflect;
  const { iterator } = Symbol;
  let isFixed = false;
  const segmentAndFix = function (this: Intl.Segmenter, text: string): Intl.Segments {
    const segments = apply(segment, this, [text]);
    if (!isFixed) {
      isFixed = true;
      for (const made of [segments, apply(get(segments, iterator) as () => object, segments, [])]) {
        const parent = getPrototypeOf(made) as object;
        for (const key of ownKeys(parent)) {
          const part = get(parent, key) as unknown;
          if (typeof part === 'function') freeze(part);
        }
        freeze(parent);
      }
    }
    return segments;
  };
  Object.defineProperty(prototype, 'segment', { value: segmentAndFix });
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
  fixAllBut(Error, (key) => writableStatics.has(key));
}

/** Fixes every property but those named, which stay as they are. */
function fixAllBut(target: object, isLeft: (key: PropertyKey) => boolean): void {
  for (const key of Reflect.ownKeys(target)) {
    if (isLeft(key)) continue;
    const descriptor = Object.getOwnPropertyDescriptor(target, key);
    if (descriptor?.configurable !== true) continue;
    Object.defineProperty(target, key, {
      configurable: false,
      ...('value' in descriptor ? { writable: false } : {}),
    });
  }
}

/**
 * Node assigns this flag to every emitter, and its prototype has one that cannot be made an accessor: read-only there,
 * no emitter could be made. It says whether rejections of listeners are caught; nothing of ours listens by emitters.
 */
const isCaptureFlag = (key: PropertyKey): boolean =>
  typeof key === 'symbol' && key.description === 'kCapture';

function freezeShared(value: object): void {
  if (!Reflect.ownKeys(value).some(isCaptureFlag) || typeof value === 'function') {
    Object.freeze(value);
    return;
  }
  fixAllBut(value, isCaptureFlag);
  Object.preventExtensions(value);
}

/** Walks from `roots` over properties of every kind and prototypes. */
function collect(roots: readonly object[], into: Set<object>): void {
  const pending = [...roots];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (into.has(next)) continue;
    into.add(next);
    const parent: unknown = Object.getPrototypeOf(next);
    if (isObject(parent)) pending.push(parent);
    if (ArrayBuffer.isView(next)) continue;
    for (const key of Reflect.ownKeys(next)) {
      const descriptor = Object.getOwnPropertyDescriptor(next, key);
      if (descriptor === undefined) continue;
      for (const part of [descriptor.value, descriptor.get, descriptor.set] as unknown[])
        if (isObject(part)) pending.push(part);
    }
  }
}

/** What samples inherit from, and what the objects that they hold do. Their own state is nobody else's. */
function inheritedBy(made: readonly object[]): object[] {
  const seen = new Set<object>();
  const inherited = new Set<object>();
  const pending = [...made];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const parent: unknown = Object.getPrototypeOf(next);
    if (isObject(parent)) inherited.add(parent);
    if (typeof next === 'function') inherited.add(next);
    else if (!ArrayBuffer.isView(next))
      for (const key of Reflect.ownKeys(next)) {
        const value: unknown = Object.getOwnPropertyDescriptor(next, key)?.value;
        if (isObject(value)) pending.push(value);
      }
  }
  return [...inherited];
}

/**
 * Freezes every built-in of this thread that functions can reach: from the global names, from `reachable`, and from
 * what can be made with them. Call it last: nothing can be patched afterwards.
 */
export function freezeIntrinsics(reachable: readonly object[]): void {
  refuseCodeFromText();
  fixStackTraces();
  fixSegmentsWhenMade();
  fixGlobalBindings();
  // Functions may add globals of their own; the real process is behind none of this, but must not be frozen whole.
  const left: ReadonlySet<object> = new Set([globalThis, realProcess]);
  const all = new Set(left);
  const globals = Reflect.ownKeys(globalThis)
    .map((key) => Reflect.get(globalThis, key) as unknown)
    .filter(isObject);
  collect([...globals, ...reachable, ...hiddenIntrinsics(), ...inheritedBy(samples())], all);
  for (const value of left) all.delete(value);
  const prototypes = new Set<object>();
  for (const value of all) {
    const prototype: unknown =
      typeof value === 'function' ? Object.getOwnPropertyDescriptor(value, 'prototype')?.value : undefined;
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
  for (const value of all) if (value !== Error && !ArrayBuffer.isView(value)) freezeShared(value);
}
