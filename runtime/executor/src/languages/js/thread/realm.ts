import { Console } from 'node:console';
import { format } from 'node:util';
import type { CallState } from './call-state.js';
import { disarmModules, disarmProcess, type Outside } from './disarm.js';
import { freezeIntrinsics } from './intrinsics.js';
import { refuse, rules } from './rules.js';

/**
 * Turns the global object of a thread into what functions may see. Two lines of defence: the names a function can
 * reach are replaced and fixed, and what lies behind them loses its power (see `disarm.ts`).
 */

const refusedMembers = [
  'kill',
  'exit',
  'abort',
  'dlopen',
  'binding',
  '_linkedBinding',
  '_kill',
  '_debugProcess',
  '_debugEnd',
  '_startProfilerIdleNotifier',
  '_stopProfilerIdleNotifier',
  'chdir',
  'reallyExit',
  'getBuiltinModule',
  'umask',
  'setuid',
  'setgid',
  'seteuid',
  'setegid',
  'setgroups',
  'initgroups',
  'setSourceMapsEnabled',
  'loadEnvFile',
  'setUncaughtExceptionCaptureCallback',
  'openStdin',
  'execve',
  'send',
  'disconnect',
  'getActiveResourcesInfo',
  '_getActiveHandles',
  '_getActiveRequests',
  '_rawDebug',
  'constrainedMemory',
  'resourceUsage',
] as const;
/** Read, not called: a getter throws the rule. */
const refusedProperties = [
  'report',
  'mainModule',
  'permission',
  'moduleLoadList',
  'config',
  'channel',
  'ppid',
] as const;

const networkGlobals = ['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'] as const;
/** They load Node's HTTP client, whose dispatcher could then be reached. */
const removedGlobals = [
  'Request',
  'Response',
  'Headers',
  'FormData',
  'CloseEvent',
  'navigator',
  'Navigator',
  'localStorage',
  'sessionStorage',
  'Storage',
  'gc',
] as const;

const fixed = (value: unknown): PropertyDescriptor => ({
  value,
  writable: false,
  enumerable: true,
  configurable: false,
});

function processForFunctions(calls: CallState): object {
  const real = process;
  const { uptime, memoryUsage, cpuUsage } = real;
  const write = (chunk: unknown): true => {
    calls.log(String(chunk));
    return true;
  };
  const stream = Object.freeze({ write, isTTY: false, writable: true });
  const ignore = function (this: unknown): unknown {
    return this;
  };
  const facade: Record<string, unknown> = {
    title: 'gantry',
    version: real.version,
    versions: Object.freeze({ ...real.versions }),
    arch: real.arch,
    platform: real.platform,
    pid: real.pid,
    env: Object.freeze({}),
    argv: Object.freeze([]),
    execArgv: Object.freeze([]),
    release: Object.freeze({ name: 'node' }),
    features: Object.freeze({}),
    stdout: stream,
    stderr: stream,
    exitCode: undefined,
    cwd: () => '/',
    hrtime: Object.freeze(
      Object.assign((since?: [number, number]) => real.hrtime(since), { bigint: () => real.hrtime.bigint() }),
    ),
    uptime: () => uptime(),
    memoryUsage: () => memoryUsage(),
    cpuUsage: () => cpuUsage(),
    nextTick: (callback: (...args: unknown[]) => void, ...args: unknown[]) =>
      real.nextTick(callback, ...args),
    emitWarning: (warning: unknown) => calls.log(`${String(warning)}\n`),
    // Libraries register handlers for events that never come here; letting them is harmless.
    on: ignore,
    once: ignore,
    off: ignore,
    addListener: ignore,
    removeListener: ignore,
    removeAllListeners: ignore,
    emit: () => false,
    listeners: () => [],
    listenerCount: () => 0,
  };
  for (const name of refusedMembers) facade[name] = refuse(`process.${name}`, rules.process);
  for (const name of refusedProperties) {
    Object.defineProperty(facade, name, { get: refuse(`process.${name}`, rules.process), enumerable: false });
  }
  for (const value of Object.values(Object.getOwnPropertyDescriptors(facade))) {
    if (typeof value.value === 'function') Object.freeze(value.value);
  }
  return Object.freeze(facade);
}

function consoleForFunctions(calls: CallState): object {
  const stream = { write: (text: string) => calls.log(text) };
  // Console only ever calls `write` when errors are not to be swallowed.
  const full = new Console({ stdout: stream as never, stderr: stream as never, ignoreErrors: false });
  const line = (...values: unknown[]): void => {
    // Formatting is the expensive part of a flood.
    if (!calls.shared.isFull) calls.log(`${format(...values)}\n`);
  };
  const view: Record<string, unknown> = { log: line, info: line, debug: line, warn: line, error: line };
  const others = [
    'trace',
    'dir',
    'dirxml',
    'table',
    'assert',
    'count',
    'countReset',
    'group',
    'groupCollapsed',
    'groupEnd',
    'time',
    'timeLog',
    'timeEnd',
  ] as const;
  for (const name of others) {
    view[name] = (...values: unknown[]) => {
      if (!calls.shared.isFull) Reflect.apply(full[name], full, values);
    };
  }
  return Object.freeze(view);
}

function gantryForFunctions(calls: CallState): object {
  return Object.freeze(
    Object.defineProperties(
      {},
      {
        signal: { get: () => calls.signal(), enumerable: true },
        executionId: { get: () => calls.current?.executionId, enumerable: true },
        deadlineMs: { get: () => calls.current?.deadlineMs, enumerable: true },
        log: fixed(
          Object.freeze((...values: unknown[]) => {
            if (!calls.shared.isFull) calls.log(`${format(...values)}\n`);
          }),
        ),
        progress: fixed(Object.freeze((share: unknown) => calls.progress(share))),
      },
    ),
  );
}

/** Prepares this thread for functions; once, before the first is loaded. Errors nobody caught go to `outside`. */
export function closeRealm(calls: CallState, reachable: readonly object[], outside: Outside): void {
  const facade = processForFunctions(calls);
  for (const name of networkGlobals)
    Object.defineProperty(globalThis, name, fixed(refuse(name, rules.network)));
  Object.defineProperty(globalThis, 'BroadcastChannel', fixed(refuse('BroadcastChannel', rules.threads)));
  for (const name of removedGlobals) Reflect.deleteProperty(globalThis, name);
  // Should anything still load the HTTP client, it finds a dispatcher that refuses instead of making a real one.
  const dispatcher = Object.freeze({ dispatch: refuse('network access', rules.network) });
  Object.defineProperty(globalThis, Symbol.for('undici.globalDispatcher.1'), fixed(dispatcher));
  Object.defineProperty(globalThis, 'console', fixed(consoleForFunctions(calls)));
  Object.defineProperty(globalThis, 'gantry', fixed(gantryForFunctions(calls)));
  Object.defineProperty(globalThis, 'process', fixed(facade));
  freezeIntrinsics(reachable);
  disarmModules();
  disarmProcess(outside);
}
