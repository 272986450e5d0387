import childProcess from 'node:child_process';
import dgram from 'node:dgram';
import dns from 'node:dns';
import fs from 'node:fs';
import inspector from 'node:inspector';
import Module from 'node:module';
import net from 'node:net';
import v8 from 'node:v8';
import vm from 'node:vm';
import workerThreads from 'node:worker_threads';
import { fakeFileHandle } from './forged-clone.js';
import { refuse, rules } from './rules.js';

/**
 * The second wall: whoever holds the real `process`, a module object or a built-in module finds nothing there that
 * loads, opens, connects or starts anything. The first wall, that functions cannot reach them, is the frozen realm.
 *
 * I1  What Node and our own code still need is kept and fixed; all else is refused, also what a later Node adds.
 * I2  No event of the process passes through a prototype: `emit` is the thread's own and tells the two that count.
 * I3  Modules that are not loaded stay so: the loader of CommonJS is refused, that of ES modules has no caller left.
 *     Those above the refused ones (http, tls, http2) connect by `net`.
 */

/** Taken while this file is loaded: the global name becomes what functions see. */
const realProcess = process as unknown as Record<PropertyKey, unknown>;

/** Node's own code reads or calls them on the real object while functions run. */
const keptMembers: ReadonlySet<PropertyKey> = new Set<PropertyKey>([
  'nextTick',
  'hrtime',
  'version',
  'versions',
  'arch',
  'platform',
  'release',
  'features',
  'pid',
  'constructor',
  '_fatalException',
  '_tickCallback',
  Symbol.toStringTag,
]);
/** Node's own code writes them. They have no power. */
const stateMembers: ReadonlySet<PropertyKey> = new Set<PropertyKey>([
  '_events',
  '_eventsCount',
  '_maxListeners',
  '_exiting',
  'exitCode',
  'domain',
]);
const inertMembers = [
  'on',
  'once',
  'off',
  'addListener',
  'prependListener',
  'prependOnceListener',
  'removeListener',
  'removeAllListeners',
  'setMaxListeners',
  'emitWarning',
] as const;

const constant = (value: unknown): PropertyDescriptor => ({
  value,
  writable: false,
  enumerable: true,
  configurable: false,
});

export type Outside = (error: unknown, how: string) => void;

/** Takes the power from the real `process`; errors that nobody caught go to `outside` from now on (I2). */
export function disarmProcess(outside: Outside): void {
  const real = realProcess;
  const inert = Object.freeze(() => undefined);
  // Consoles and `util.styleText` ask the streams of the process whether they are terminals.
  const noTerminal = Object.freeze({ isTTY: false, write: inert, on: inert });
  const values: Record<string, unknown> = {
    emit: Object.freeze((name: unknown, error: unknown) => {
      if (name === 'uncaughtException') outside(error, 'uncaught exception');
      else if (name === 'unhandledRejection') outside(error, 'unhandled rejection');
      else return false;
      return true;
    }),
    cwd: Object.freeze(() => '/'),
    env: Object.freeze({}),
    argv: Object.freeze([]),
    execArgv: Object.freeze([]),
    argv0: 'node',
    execPath: 'node',
    title: 'node',
    stdout: noTerminal,
    stderr: noTerminal,
    stdin: undefined,
  };
  for (const name of inertMembers) values[name] = inert;
  const refusal = refuse('the process', rules.process);
  for (const key of Reflect.ownKeys(real)) {
    const descriptor = Object.getOwnPropertyDescriptor(real, key);
    const isOurs = typeof key === 'string' && Object.hasOwn(values, key);
    if (descriptor?.configurable !== true || stateMembers.has(key) || isOurs) continue;
    if (keptMembers.has(key)) Object.defineProperty(real, key, constant(real[key]));
    else if (typeof descriptor.value === 'function') Object.defineProperty(real, key, constant(refusal));
    else if (typeof key === 'string')
      Object.defineProperty(real, key, { get: refusal, set: refusal, configurable: false });
  }
  for (const [name, value] of Object.entries(values)) {
    // Node has fixed `argv0` itself.
    if (Object.getOwnPropertyDescriptor(real, name)?.configurable !== false)
      Object.defineProperty(real, name, constant(value));
  }
  Object.preventExtensions(real);
}

/** What is kept of the modules: functions have the first two anyway, and the last are how they are loaded. */
const keptClasses = new Set<unknown>([
  workerThreads.MessageChannel,
  workerThreads.MessagePort,
  Reflect.get(vm, 'Module'),
  vm.SourceTextModule,
  vm.SyntheticModule,
]);
/** Objects in a module or class that have functions of their own. */
const members: ReadonlySet<PropertyKey> = new Set(['prototype', 'promises', '_extensions']);

/**
 * Makes every function of `target`, and every method of the classes in it, throw the rule. One refusal stands for all
 * of them: a thousand of their own would take each thread memory and time.
 */
function disarm(
  target: object,
  refusal: PropertyDescriptor & { value: () => never },
  seen = new Set(keptClasses),
): void {
  seen.add(target);
  for (const key of Reflect.ownKeys(target)) {
    const descriptor = Object.getOwnPropertyDescriptor(target, key);
    if (descriptor === undefined || keptClasses.has(descriptor.value)) continue;
    const isMember = members.has(key);
    const value: unknown = isMember ? Reflect.get(target, key) : descriptor.value;
    const isFunction = typeof value === 'function';
    if ((isFunction || (isMember && typeof value === 'object' && value !== null)) && !seen.has(value))
      disarm(value, refusal, seen);
    if (descriptor.configurable === true && (isFunction || descriptor.get !== undefined))
      Object.defineProperty(target, key, refusal);
    else if (descriptor.writable === true && isFunction) Reflect.set(target, key, refusal.value);
  }
}

function emptyModuleCache(): void {
  const { _cache: cache } = Module as unknown as { _cache: Record<string, NodeJS.Module> };
  for (const [path, module] of Object.entries(cache)) {
    module.children.length = 0;
    module.paths.length = 0;
    Reflect.deleteProperty(cache, path);
  }
}

/** Takes the power from the built-in modules that reach out of this thread (I3). */
export function disarmModules(): void {
  const powers: readonly (readonly [target: object, name: string, rule: string])[] = [
    [fakeFileHandle(), 'FileHandle', rules.imports],
    [net, 'net', rules.network],
    [dgram, 'dgram', rules.network],
    [dns, 'dns', rules.network],
    [childProcess, 'child_process', rules.process],
    [inspector, 'inspector', rules.process],
    [v8, 'v8', rules.process],
    [workerThreads, 'worker_threads', rules.threads],
    [vm, 'vm', rules.codeFromText],
    [fs, 'fs', rules.imports],
    [Module, 'module', rules.imports],
  ];
  emptyModuleCache();
  for (const [target, name, rule] of powers) {
    const value = refuse(name, rule);
    disarm(target, { ...constant(value), value });
  }
}

/** Once the pool has said over it that the thread is up, nobody needs the port to the pool any more. */
export function forgetParent(): void {
  for (const name of ['parentPort', 'workerData']) Reflect.set(workerThreads, name, undefined);
}
