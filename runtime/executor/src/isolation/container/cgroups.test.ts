import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { cgroupRoots, cgroupsNamed, countMemoryKills, killCgroup, removeCgroup } from './cgroups.js';

const folder = mkdtempSync(join(tmpdir(), 'cgroups-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('cgroupRoots', () => {
  it.each([
    [
      'version 1 and 2 side by side',
      'cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n',
      ['/sys/fs/cgroup/memory', '/sys/fs/cgroup/unified'],
    ],
    [
      'version 2',
      'proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n',
      ['/sys/fs/cgroup'],
    ],
    ['none', 'tmpfs /sys/fs/cgroup tmpfs rw 0 0\n', []],
  ])('finds hierarchies: %s', (_name, mounts, roots) => {
    expect(cgroupRoots(mounts)).toEqual(roots);
  });
});

describe('a control group', () => {
  it.each([
    ['1', 'memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n'],
    ['2', 'memory.events', 'low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n'],
  ])('of version %s tells how often the kernel killed for memory', (version, file, text) => {
    const root = join(folder, `version-${version}`);
    mkdirSync(join(root, 'one'), { recursive: true });
    writeFileSync(join(root, 'one', file), text);
    expect(countMemoryKills('one', [join(folder, 'elsewhere'), root])).toBe(2);
    expect(countMemoryKills('other', [root])).toBe(0);
  });

  it('that holds a process of another namespace only is nobody to kill: 0 would be this group of processes', () => {
    mkdirSync(join(folder, 'foreign'));
    writeFileSync(join(folder, 'foreign', 'cgroup.procs'), '0\n');
    expect(killCgroup('foreign', [folder])).toBe(0);
  });

  it('is gone where it never was, and not where something is in it', () => {
    mkdirSync(join(folder, 'busy', 'child'), { recursive: true });
    expect(removeCgroup('busy', [folder])).toBe(false);
    expect(removeCgroup('missing', [folder])).toBe(true);
    expect(cgroupsNamed('bu', [folder, join(folder, 'missing')])).toEqual(new Set(['busy']));
  });
});
