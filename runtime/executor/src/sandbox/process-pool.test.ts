import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isRunning, resultOf, type SandboxFixture, startSandbox, until } from '../testing/sandbox-fixture.js';

let sandbox: SandboxFixture;
beforeAll(async () => {
  sandbox = await startSandbox();
}, 30_000);
afterAll(() => sandbox.stop());

const pidFunction = 'export default () => process.pid;';
const pidOf = async (owner: string) => Number(resultOf(await sandbox.call(pidFunction, [], { owner })));

describe('deadlines', () => {
  it.each([
    ['an endless loop', 'export default () => { console.log("before"); for (;;); };'],
    ['endless microtasks', 'export default async () => { for (;;) await 0; };'],
    ['a promise that never settles', 'export default () => new Promise(() => {});'],
    ['a then that resolves with itself', 'export default () => ({ then(r) { r(this); } });'],
    ['Atomics.wait', 'export default () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);'],
    ['a toJSON without end', 'export default () => ({ toJSON() { for (;;); } });'],
    ['a module without end', 'for (;;); export default 1;'],
  ])('end %s, and the next execution is fine', async (_name, source) => {
    expect(resultOf(await sandbox.call(source, [], { runMs: 300 }))).toBe(
      'execution-timeout: stopped after 300 ms',
    );
    expect(await pidOf('alice')).toBeGreaterThan(0);
  });

  it('keep the log of what was killed', async () => {
    const outcome = await sandbox.call('export default () => { console.log("before"); for (;;); };', [], {
      runMs: 200,
    });
    expect(outcome.log.toString()).toBe('before\n');
  });

  it('give the signal a moment to clean up, without killing what heeds it', async () => {
    const source = `let calls = 0; export default () => { calls += 1; if (calls > 1) return calls;
      return new Promise((r) => gantry.signal.addEventListener('abort', () => { gantry.log('cleaned'); r(1); })); };`;
    const outcome = await sandbox.call(source, [], { runMs: 200 });
    expect([resultOf(outcome), outcome.log.toString()]).toEqual([
      'execution-timeout: stopped after 200 ms',
      'cleaned\n',
    ]);
    expect(resultOf(await sandbox.call(source))).toBe(2);
  });
});

describe('memory', () => {
  it('of the heap ends in out-of-memory, and the next execution is fine', async () => {
    const source =
      'export default () => { const a = []; for (;;) a.push(new Array(1000).fill(Math.random())); };';
    expect(resultOf(await sandbox.call(source))).toMatch(/^out-of-memory: /);
    expect(await pidOf('alice')).toBeGreaterThan(0);
  });

  it('of Buffers ends in out-of-memory too, seen from outside', async () => {
    const source =
      'export default async () => { const a = []; for (;;) { a.push(Buffer.alloc(8e6, 1)); await 0; } };';
    expect(resultOf(await sandbox.call(source))).toMatch(
      /^out-of-memory: the process of the function used more than 300 MiB/,
    );
    expect(await pidOf('alice')).toBeGreaterThan(0);
  });
});

describe('owners', () => {
  it('have processes of their own, and keep them', async () => {
    const [alice, bob] = [await pidOf('alice'), await pidOf('bob')];
    expect(bob).not.toBe(alice);
    expect(await pidOf('alice')).toBe(alice);
    expect(await pidOf('bob')).toBe(bob);
  });

  it('beyond the number kept lose the process that was idle longest', async () => {
    const first = await pidOf('one');
    await pidOf('two');
    await pidOf('three');
    await until(() => !isRunning(first), 'the first owner’s process is gone');
    expect(await pidOf('one')).not.toBe(first);
  });

  it('leave nothing behind that runs: timers between calls end the process', async () => {
    const source =
      'export default () => { setInterval(() => { const end = Date.now() + 500; while (Date.now() < end); }, 1); return process.pid; };';
    const pid = Number(resultOf(await sandbox.call(source, [], { owner: 'busy' })));
    await until(() => !isRunning(pid), 'the busy idle process is gone');
  }, 20_000);
});

describe('the process', () => {
  it('has nothing of the environment, runs as nobody when the supervisor is root, in a session of its own', async () => {
    const pid = await pidOf('alice');
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .filter((line) => line !== '')
      .sort();
    expect(environment).toEqual(['LANG=C.UTF-8', 'PATH=/usr/bin:/bin', 'TZ=UTC']);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const expected = process.getuid?.() === 0 ? 65534 : process.getuid?.();
    expect(/^Uid:\t(\d+)\t(\d+)/m.exec(status)?.slice(1)).toEqual([String(expected), String(expected)]);
    const session = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[3];
    expect(Number(session)).toBe(pid);
  });

  it('has open only its pipes, not the sockets of the supervisor', async () => {
    const pid = await pidOf('alice');
    const descriptors = await readdir(`/proc/${pid}/fd`);
    expect(descriptors).toEqual(expect.arrayContaining(['0', '1', '2', '3']));
    const arguments_ = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    expect(arguments_).toEqual(
      expect.arrayContaining(['--allow-worker', '--disallow-code-generation-from-strings']),
    );
  });

  it('does not outlive a supervisor that was killed', async () => {
    const fixture = new URL('../testing/sandbox-fixture.js', import.meta.url).href;
    const program = `const { startSandbox, resultOf } = await import(${JSON.stringify(fixture)});
      const s = await startSandbox();
      const loop = s.call('export default () => { for (;;); };', [], { owner: 'loop', runMs: 60000 });
      const pids = [];
      for (const owner of ['a', 'b']) pids.push(resultOf(await s.call('export default () => process.pid;', [], { owner })));
      console.log(JSON.stringify({ pids, folder: s.folder }));
      await loop;`;
    const supervisor = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(supervisor.stdout, 'data')) as [Buffer];
    const { pids } = JSON.parse(line.toString()) as { pids: number[] };
    const children = readFileSync(`/proc/${supervisor.pid}/task/${supervisor.pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .map(Number);
    expect(children).toEqual(expect.arrayContaining(pids));
    supervisor.kill('SIGKILL');
    await until(() => children.every((pid) => !isRunning(pid)), 'all executor processes are gone');
    expect(children.length).toBeGreaterThanOrEqual(4);
  }, 30_000);
});
