import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Probes, startProbes } from '../testing/probe-fixture.js';
import { isRunning, resultOf, type SandboxFixture, startSandbox, until } from '../testing/sandbox-fixture.js';
import type { IsolationLevel } from './isolation.js';

/** The process and everything that descends from it. */
function descendantsOf(pid: number): number[] {
  const children = (() => {
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    } catch {
      return [];
    }
  })().map(Number);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

const nameOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, 'latin1').trim();

/** What every level promises, whatever it wraps programs with. */
export function describeIsolation(level: IsolationLevel): void {
  describe(`isolation level ${level}`, () => {
    let sandbox: SandboxFixture;
    let probes: Probes;
    beforeAll(async () => {
      sandbox = await startSandbox({ isolation: level });
      probes = await startProbes(level);
    }, 60_000);
    afterAll(async () => {
      await sandbox.stop();
      await probes.stop();
    });

    it('says what it is', () => {
      expect(probes.isolation.level).toBe(level);
      expect(probes.isolation.description).toMatch(/^functions /);
    });

    it('runs functions, and keeps them warm', async () => {
      const count = 'let calls = 0; export default () => (calls += 1);';
      expect(resultOf(await sandbox.call(count))).toBe(1);
      expect(resultOf(await sandbox.call(count))).toBe(2);
    });

    it('carries large parameters and results', async () => {
      const text = 'x'.repeat(3 * 1024 * 1024);
      const outcome = await sandbox.call('export default (text) => text;', [text]);
      expect(resultOf(outcome)).toBe(text);
    });

    it('gives programs a fixed environment', async () => {
      const { said } = await probes.runNode('say(process.env)');
      expect(said).toMatchObject({ LANG: 'C.UTF-8', PATH: '/usr/bin:/bin', TZ: 'UTC' });
      expect(Object.keys(said as object).filter((name) => !/^(HOME|LANG|PATH|PWD|TZ)$/.test(name))).toEqual(
        [],
      );
    });

    it('knows the process id of the program itself, for the watchdog', async () => {
      const acquired = await sandbox.pool.acquire({ language: 'JS', owner: 'pid', functionSha256: 'x' });
      const { pid } = acquired;
      sandbox.pool.release(acquired);
      expect(pid).toBeGreaterThan(1);
      expect(nameOf(pid ?? 0)).toMatch(/^node/);
      expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).toContain('child/main.js');
    });

    it('says with the last words of a program why it could not start', async () => {
      const { exit, stderr } = await probes.runNode('process.stderr.write("no luck"); process.exit(3);');
      expect([exit, stderr]).toEqual([3, 'no luck']);
    });

    it('shows programs and lets nobody change them', async () => {
      const { said } = await probes.runNode(
        `const fs = require('node:fs');
        say([typeof fs.readFileSync(__filename, 'utf8'), process.getuid() === 0 ? 'root' : 'other']);`,
      );
      expect(said).toEqual(['string', level === 'thread' && process.getuid?.() === 0 ? 'root' : 'other']);
    });

    it('ends programs that loop or are too large, and the next call works', async () => {
      const loop = 'export default () => { for (;;); };';
      expect(resultOf(await sandbox.call(loop, [], { runMs: 200 }))).toBe(
        'execution-timeout: stopped after 200 ms',
      );
      const grow = 'export default () => { const a = []; for (;;) a.push(Buffer.alloc(8e6, 1)); };';
      expect(resultOf(await sandbox.call(grow))).toBe(
        'out-of-memory: the process of the function used more than 300 MiB',
      );
      expect(resultOf(await sandbox.call('export default (a) => a + 1;', [1]))).toBe(2);
    }, 30_000);

    it('leaves no process after the pool is stopped, nor when the supervisor is killed', async () => {
      const fixture = new URL('../testing/sandbox-fixture.js', import.meta.url).href;
      const program = `const { startSandbox } = await import(${JSON.stringify(fixture)});
        const s = await startSandbox({ isolation: ${JSON.stringify(level)} });
        await s.call('export default () => 1;');
        const loop = s.call('export default () => { for (;;); };', [], { owner: 'loop', runMs: 60000 }).catch(() => 0);
        console.log('ready');
        process.stdin.once('data', async () => { await s.stop(); process.exit(0); });
        await loop;`;
      for (const isKilled of [false, true]) {
        const supervisor = spawn(process.execPath, ['--input-type=module', '-e', program], {
          stdio: ['pipe', 'pipe', 'inherit'],
        });
        await once(supervisor.stdout, 'data');
        const all = descendantsOf(supervisor.pid ?? 0);
        expect(all.length).toBeGreaterThanOrEqual(3);
        if (isKilled) supervisor.kill('SIGKILL');
        else supervisor.stdin.write('stop');
        await once(supervisor, 'exit');
        await until(() => all.every((pid) => !isRunning(pid)), 'all its processes are gone');
      }
    }, 60_000);
  });
}
