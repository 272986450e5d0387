import { afterEach, describe, expect, it } from '@jest/globals';
import { jsRuntime } from '../languages/js/js-runtime.js';
import type { LanguageRuntime } from '../languages/language.js';
import {
  type FixtureOptions,
  isRunning,
  resultOf,
  type SandboxFixture,
  startSandbox,
  until,
} from '../testing/sandbox-fixture.js';

let sandbox: SandboxFixture | undefined;
const start = async (options: FixtureOptions = {}): Promise<SandboxFixture> => {
  sandbox = await startSandbox(options);
  return sandbox;
};
afterEach(() => sandbox?.stop());

/** What an earlier call left behind, and the process it ran in. */
const memory = `const seen = []; globalThis.shared ??= [];
  export default (word) => { seen.push(word); globalThis.shared.push(word);
    return { seen: [...seen], shared: [...globalThis.shared], pid: process.pid }; };`;
interface Remembered {
  readonly seen: string[];
  readonly shared: string[];
  readonly pid: number;
}
const say = async (word: string, options: Parameters<SandboxFixture['call']>[2]): Promise<Remembered> =>
  resultOf((await sandbox?.call(memory, [word], options)) as never) as Remembered;

describe('owners that alternate', () => {
  it('two of them: each finds its own state, neither that of the other', async () => {
    await start();
    const calls: Remembered[] = [];
    for (let turn = 0; turn < 8; turn += 1)
      calls.push(await say(`${turn}`, { owner: turn % 2 === 0 ? 'alice' : 'bob' }));
    expect(calls[6]?.seen).toEqual(['0', '2', '4', '6']);
    expect(calls[7]?.shared).toEqual(['1', '3', '5', '7']);
    expect(new Set(calls.map(({ pid }) => pid)).size).toBe(2);
  });

  it('an administrator who runs a function of another account runs it apart from its own', async () => {
    await start({ keptProcesses: 4 });
    const own = await say('own', { owner: 'admin' });
    const ofBob = await say('bob', { owner: 'admin', functionOwner: 'bob' });
    const ofCarol = await say('carol', { owner: 'admin', functionOwner: 'carol' });
    const byBob = await say('by bob', { owner: 'bob' });
    expect(new Set([own, ofBob, ofCarol, byBob].map(({ pid }) => pid)).size).toBe(4);
    expect([ofBob, ofCarol, byBob].map(({ shared }) => shared)).toEqual([['bob'], ['carol'], ['by bob']]);
    expect(await say('again', { owner: 'admin', functionOwner: 'bob' })).toMatchObject({
      pid: ofBob.pid,
      seen: ['bob', 'again'],
    });
    expect((await say('again', { owner: 'admin', functionOwner: 'admin' })).pid).toBe(own.pid);
  });

  it('ten of them at once keep a process each, and no more are made in the second round', async () => {
    await start({ keptProcesses: 16 });
    const owners = Array.from({ length: 10 }, (_, index) => `owner-${index}`);
    const round = () => Promise.all(owners.map((owner) => say(owner, { owner })));
    const first = await round();
    const second = await round();
    expect(second.map(({ pid }) => pid)).toEqual(first.map(({ pid }) => pid));
    expect(second.map(({ shared }) => shared)).toEqual(owners.map((owner) => [owner, owner]));
  }, 30_000);

  it('keep no more memory than allowed: the coldest process goes first', async () => {
    await start({ keptProcesses: 16, keptBytes: 1 });
    const pids: number[] = [];
    for (const owner of ['alice', 'bob', 'carol']) pids.push((await say('x', { owner })).pid);
    await until(() => !isRunning(pids[0] ?? 0), 'the coldest is gone');
    expect((await say('x', { owner: 'carol' })).pid).toBe(pids[2]);
  });
});

describe('a fresh call', () => {
  it('finds nothing of an earlier one and leaves nothing, in the process of its owner', async () => {
    await start();
    const before = await say('before', {});
    const fresh = await say('fresh', { isFresh: true });
    expect(fresh).toEqual({ seen: ['fresh'], shared: ['fresh'], pid: before.pid });
    expect(await say('again', { isFresh: true })).toMatchObject({ seen: ['again'], shared: ['again'] });
    expect((await say('after', {})).seen).toEqual(['before', 'after']);
  });

  it('may have a large result, throw, or never end; the next one is fine', async () => {
    const { call } = await start();
    const isFresh = true;
    expect(resultOf(await call('export default () => "x".repeat(100000)', [], { isFresh }))).toHaveLength(
      100_000,
    );
    expect(resultOf(await call('export default () => { throw new Error("no"); }', [], { isFresh }))).toMatch(
      /^function-error: Error: no/,
    );
    expect(resultOf(await call('export default () => { for (;;); }', [], { isFresh, runMs: 200 }))).toMatch(
      /^execution-timeout/,
    );
    expect(resultOf(await call('export default () => 1', [], { isFresh }))).toBe(1);
  });

  it('has a process of its own where the program has no threads for it, which ends with it', async () => {
    const perProcess: LanguageRuntime = { ...jsRuntime, freshRealm: 'process' };
    await start({ runtimes: [perProcess] });
    const warm = await say('warm', {});
    const fresh = await say('fresh', { isFresh: true });
    expect(fresh.pid).not.toBe(warm.pid);
    await until(() => !isRunning(fresh.pid), 'the process of the fresh call is gone');
    expect(await say('warm again', {})).toMatchObject({ pid: warm.pid, seen: ['warm', 'warm again'] });
  });
});

describe('a process', () => {
  it('runs one function only where its program cannot keep two apart', async () => {
    const one: LanguageRuntime = { ...jsRuntime, functionsPerProcess: 'one' };
    const { call } = await start({ runtimes: [one], keptProcesses: 4 });
    const pidOf = async (source: string) => resultOf(await call(source));
    const [a, b] = ['export default () => process.pid', 'export default () => 0 + process.pid'];
    const first = [await pidOf(a), await pidOf(b)];
    expect(first[0]).not.toBe(first[1]);
    expect([await pidOf(a), await pidOf(b)]).toEqual(first);
  });

  it('of one shape is never given to a call of another', async () => {
    await start({ keptProcesses: 4 });
    const small = { memoryMiB: 32, scratchMiB: 16 };
    const ordinary = await say('x', {});
    const lowered = await say('y', { shape: small });
    expect(lowered.pid).not.toBe(ordinary.pid);
    expect([(await say('x', {})).pid, (await say('y', { shape: small })).pid]).toEqual([
      ordinary.pid,
      lowered.pid,
    ]);
  });
});

describe('functions that keep much', () => {
  it('take nothing from the others of their owner: a call within its own limit never fails for them', async () => {
    await start({ limits: { memoryMiB: 128, warmFunctions: 8 }, residentMiB: 512, keptProcesses: 8 });
    const keep = (name: number) => `let kept; export default () => {
      kept ??= Buffer.alloc(90e6, 1); const more = Buffer.alloc(30e6, 1);
      return [${name}, process.pid, kept.length + more.length]; };`;
    const pids = new Set<unknown>();
    for (const name of [1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 1, 2, 3]) {
      const said = resultOf((await sandbox?.call(keep(name))) as never);
      expect(said).toEqual([name, expect.any(Number), 120e6]);
      pids.add((said as unknown[])[1]);
    }
    expect(pids.size).toBeGreaterThan(1);
  }, 60_000);
});

describe('limits of a call', () => {
  it('memory: less is named when it is exceeded, and the next call works', async () => {
    const { call } = await start();
    // 40 MB of the heap: too much for one call, and not for the other.
    const hungry =
      'export default () => Array.from({ length: 50 }, (_, i) => new Array(1e5).fill(i)).length;';
    const shape = { memoryMiB: 16, scratchMiB: 16 };
    expect(resultOf(await call(hungry, [], { shape }))).toBe(
      'out-of-memory: the heap of the function is full',
    );
    expect(resultOf(await call(hungry))).toBe(50);
    expect(resultOf(await call('export default () => 1', [], { shape }))).toBe(1);
  });

  it('result: its size is checked for each call, whatever the process may send', async () => {
    const { call } = await start();
    const source = 'export default (n) => "x".repeat(n)';
    const lowered = { resultBytes: 100 };
    expect(resultOf(await call(source, [200], lowered))).toBe(
      'result-too-large: the result has 202 bytes, the limit is 100',
    );
    expect(resultOf(await call(source, [200]))).toHaveLength(200);
    expect(resultOf(await call(source, [98], lowered))).toHaveLength(98);
  });

  it('log: it is cut where the call says, and whole again in the next', async () => {
    const { call } = await start();
    const source = 'export default () => { console.log("0123456789".repeat(10)); }';
    const lowered = await call(source, [], { logBytes: 20 });
    expect(lowered.log.toString()).toBe('01234567890123456789\n[log truncated]\n');
    expect((await call(source)).log).toHaveLength(101);
    expect((await call(source, [], { logBytes: 0 })).log.toString()).toBe('\n[log truncated]\n');
  });
});
