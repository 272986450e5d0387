import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { until } from '../testing/sandbox-fixture.js';
import { cgroupPrefix, planCgroupFiles, removeStaleCgroups } from './cgroup.js';
import { findCgroups, locateCgroups, openVersion2 } from './find-cgroups.js';
import { namesHere, namesOf } from './supervisor-name.js';

const bounds = { residentMiB: 100, scratchMiB: 28 };

describe('cgroups', () => {
  it('are found in version 1, each controller in its own place', () => {
    const own = '9:name=systemd:/\n4:memory:/box\n3:pids:/\n2:cpu,cpuacct:/a\n0::/\n';
    const mounts =
      'cgroup /c/cpu cgroup rw,cpu,cpuacct 0 0\ncgroup /c/memory cgroup rw,memory 0 0\ncgroup /c/pids cgroup rw,pids 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\n';
    expect(locateCgroups(own, mounts)).toEqual({
      version: 1,
      memory: '/c/memory/box',
      pids: '/c/pids/',
      cpu: '/c/cpu/a',
    });
  });

  it('are found in version 2, and nowhere where nothing is mounted', () => {
    const own = '0::/system.slice/gantry.service\n';
    const folder = '/sys/fs/cgroup/system.slice/gantry.service';
    const mounts = 'cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n';
    expect(locateCgroups(own, mounts)).toEqual({ version: 2, memory: folder, pids: folder, cpu: folder });
    expect(locateCgroups(own, 'proc /proc proc rw 0 0\n')).toBeUndefined();
  });

  it('hold memory and scratch with some slack, so that the watchdog, which can name it, is first', () => {
    const memory = planCgroupFiles(2, bounds).find(({ file }) => file === 'memory.max');
    expect(memory).toEqual({
      controller: 'memory',
      file: 'memory.max',
      value: String((100 + 28 + 64) * 1024 * 1024),
      isOptional: false,
    });
    const needed = (version: 1 | 2) =>
      planCgroupFiles(version, bounds).flatMap(({ file, isOptional }) => (isOptional ? [] : [file]));
    expect([needed(1), needed(2)]).toEqual([
      ['memory.limit_in_bytes', 'pids.max'],
      ['memory.max', 'pids.max'],
    ]);
  });

  it('of supervisors that are no more are removed, and only those', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-cgroups-'));
    const here = namesHere(cgroupPrefix);
    const dead = `${here}${2 ** 22 + 1}-7-1`;
    const names = [
      dead,
      `${here}${process.pid}-7-1`, // its pid is another process now
      `${namesOf(cgroupPrefix, process.pid)}1`,
      dead.replace(/\d+/, '1'), // of another process namespace
      'gantry-supervisor',
      'other-1-1',
    ];
    for (const name of names) mkdirSync(join(folder, name));
    removeStaleCgroups({ version: 2, memory: folder, pids: folder, cpu: folder });
    expect(new Set(readdirSync(folder))).toEqual(new Set(names.slice(2)));
    await rm(folder, { recursive: true });
  });

  describe('of version 2', () => {
    /** A cgroup as the kernel shows it, of plain files. */
    async function own(controllers: string, enabled: string, processes: readonly number[]): Promise<string> {
      const folder = await mkdtemp(join(tmpdir(), 'gantry-cgroups-'));
      writeFileSync(join(folder, 'cgroup.controllers'), `${controllers}\n`);
      writeFileSync(join(folder, 'cgroup.subtree_control'), `${enabled}\n`);
      writeFileSync(join(folder, 'cgroup.procs'), `${processes.join('\n')}\n`);
      return folder;
    }
    const all = 'cpuset cpu io memory pids';

    it('are taken as they are where children have their controllers', async () => {
      const folder = await own(all, 'cpu memory pids', [1, 2]);
      expect(openVersion2(folder)).toBe(folder);
      await rm(folder, { recursive: true });
    });

    it('are opened by a supervisor that is alone: it moves into a child', async () => {
      const folder = await own(all, '', [process.pid]);
      expect(openVersion2(folder)).toBe(folder);
      const child = join(folder, 'gantry-supervisor');
      expect(readFileSync(join(child, 'cgroup.procs'), 'utf8')).toBe(String(process.pid));
      expect(readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8')).toBe('+memory +pids +cpu');
      expect(openVersion2(child)).toBe(folder);
      await rm(folder, { recursive: true });
    });

    it.each([
      ['others are in them', all, [process.pid, 1], /holds other processes; run the platform as a systemd/],
      ['a controller is missing', 'cpu pids', [process.pid], /has no controller memory; run the platform/],
    ])('are refused with the remedy when %s', async (_name, controllers, processes, reason) => {
      const folder = await own(controllers, '', processes);
      expect(() => openVersion2(folder)).toThrow(reason);
      await rm(folder, { recursive: true });
    });
  });

  it('either work here or come with a reason; and are gone after their process', async () => {
    const found = findCgroups();
    if ('missing' in found) {
      expect(found.missing).not.toBe('');
      return;
    }
    const before = readdirSync(found.path);
    const cgroup = found.create(bounds);
    const [name] = readdirSync(found.path).filter((entry) => !before.includes(entry));
    expect(name).toMatch(/^gantry-sandbox-\d+-\d+-\d+-\d+$/);
    const child = spawn('/usr/bin/sleep', ['60']);
    cgroup.add(child.pid ?? 0);
    expect(cgroup.remove()).toBeUndefined();
    child.kill('SIGKILL');
    await until(() => !existsSync(join(found.path, name ?? '')), 'the cgroup is gone');
  });

  it('end what takes more memory than they have, and say so', async () => {
    const found = findCgroups();
    if ('missing' in found) {
      expect(found.missing).not.toBe('');
      return;
    }
    const cgroup = found.create({ residentMiB: 64, scratchMiB: 1 });
    const grow = `process.stdin.once('data', () => { const a = []; for (;;) a.push(Buffer.alloc(8e6, 1)); })`;
    const child = spawn(process.execPath, ['-e', grow], { stdio: ['pipe', 'ignore', 'ignore'] });
    cgroup.add(child.pid ?? 0);
    child.stdin.write('go');
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    expect(cgroup.remove()).toEqual({
      code: 'out-of-memory',
      text: 'the process of the function used more than 64 MiB',
    });
  }, 30_000);
});
