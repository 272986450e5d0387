import { describe, expect, it } from '@jest/globals';
import { buildBubblewrapArguments } from './bubblewrap-arguments.js';
import type { Isolation } from './isolation.js';
import { probeIsolation } from './probe.js';
import { resolveIsolation } from './resolve-isolation.js';
import { findSystem, sandbox } from './sandbox.js';
import { threadOrProcess } from './thread-or-process.js';

const plan = { file: '/usr/bin/node', args: ['x.js'], readableFolder: '/tmp/x' };
const bounds = { residentMiB: 64, scratchMiB: 8 };

describe('resolveIsolation', () => {
  it('drops the user at level process when root, and only then', async () => {
    const asRoot = await resolveIsolation('process', { uid: 0 });
    expect(asRoot.launch(plan, bounds).options).toMatchObject({ uid: 65534, gid: 65534 });
    const asUser = await resolveIsolation('process', { uid: 1000 });
    expect(asUser.launch(plan, bounds).options).not.toHaveProperty('uid');
    expect(await resolveIsolation('thread', { uid: 0 })).toMatchObject({
      isRestricted: false,
      isOtherUser: false,
    });
  });

  it('passes nothing of the platform’s environment', async () => {
    const environment = { LANG: 'C.UTF-8', PATH: '/usr/bin:/bin', TZ: 'UTC' };
    expect((await resolveIsolation('process')).launch(plan, bounds).options.env).toEqual(environment);
    expect((await resolveIsolation('sandbox')).launch(plan, bounds).options.env).toEqual({});
  });

  it('makes "auto" the sandbox where that works', async () => {
    const isolation = await resolveIsolation('auto', { isProduction: true });
    expect(isolation.level).toBe('sandbox');
    expect(isolation).not.toHaveProperty('weakerBecause');
  });

  it('makes "auto" the level "process" elsewhere, and says why', async () => {
    expect(await resolveIsolation('auto', { architecture: 'mips' })).toMatchObject({
      level: 'process',
      weakerBecause: 'there is no system call filter for mips; choose "container"',
    });
  });

  it('says why a program could not be started when the isolation knows it', async () => {
    const cgroups = {
      path: '/nowhere',
      create: () => {
        throw new Error('EROFS: read-only file system');
      },
    };
    const parts = { system: findSystem(), uid: process.getuid?.(), architecture: process.arch, cgroups };
    await expect(probeIsolation(sandbox(parts), '/usr/lib')).rejects.toThrow(
      'isolation level "sandbox" cannot be had: its cgroup cannot be had: EROFS: read-only file system; control groups cannot be made here',
    );
  });

  it('never weakens a level that was asked for, nor anything in production', async () => {
    const refusal = 'isolation level "sandbox" cannot be had: there is no system call filter for mips';
    await expect(resolveIsolation('sandbox', { architecture: 'mips' })).rejects.toThrow(refusal);
    await expect(resolveIsolation('auto', { architecture: 'mips', isProduction: true })).rejects.toThrow(
      refusal,
    );
  });

  it.each(['thread', 'process'] as const)(
    'refuses "%s" in production, and says what to do',
    async (level) => {
      await expect(resolveIsolation(level, { isProduction: true })).rejects.toThrow(
        `isolation level "${level}" cannot be had: NODE_ENV=production accepts only "sandbox" and "container"`,
      );
    },
  );
});

describe('trying a level out', () => {
  /** A level whose wrapper says this and fails. */
  const failing = (lastWords: string): Isolation => ({
    ...threadOrProcess('process', 1000),
    level: 'sandbox',
    launch: () => ({
      file: process.execPath,
      args: ['-e', `console.error(${JSON.stringify(lastWords)}); process.exit(1)`],
      options: { env: {}, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] },
    }),
  });

  it.each([
    ["bwrap: Can't mount proc on /newroot/proc: Operation not permitted", /read-only \/proc\/sys/],
    ['bwrap: No permissions to create a new namespace', /user namespaces are closed/],
    ['bwrap: setting up uid map: Permission denied', /user namespaces are closed/],
  ])('ends with what was said and what to do: %s', async (lastWords, remedy) => {
    const trial = probeIsolation(failing(lastWords), '/usr/lib');
    await expect(trial).rejects.toThrow(`isolation level "sandbox" cannot be had: ${lastWords}; `);
    await expect(probeIsolation(failing(lastWords), '/usr/lib')).rejects.toThrow(remedy);
  });

  it('ends with the reason when there is no wrapper', async () => {
    const system = { ...findSystem(), bubblewrapFile: '/nowhere/bwrap' };
    const parts = { system, uid: process.getuid?.(), architecture: process.arch, cgroups: { missing: 'x' } };
    await expect(probeIsolation(sandbox(parts), '/usr/lib')).rejects.toThrow(/ENOENT/);
  });
});

describe('the command line of bubblewrap', () => {
  const system = {
    ...findSystem(),
    hasOwnProcessCount: true,
    roots: [{ path: '/lib', linkTarget: 'usr/lib' }],
  };
  const build = (changes: object = {}) =>
    buildBubblewrapArguments({ ...plan, ...changes }, bounds, system, false);

  it('shows the system’s libraries, the programs, and nothing with settings or accounts', () => {
    const words = build();
    const shown = words.flatMap((word, index) => (/^--ro-bind/.test(word) ? [words[index + 1] ?? ''] : []));
    expect(shown).toEqual(expect.arrayContaining(['/usr/lib', '/usr/bin/node', '/tmp/x']));
    expect(shown.filter((path) => /^\/(etc|home|root|var|run|usr)$/.test(path))).toEqual([]);
    expect(words).not.toContain('--bind');
  });

  it('moves a staged program with its folder', () => {
    const words = build({ file: '/tmp/x/node' });
    expect(words.slice(words.lastIndexOf('--'))).toEqual(['--', '/gantry/node', 'x.js']);
  });

  it('holds a program to its address space only where it has one', () => {
    expect(build().filter((word) => word.startsWith('--as='))).toEqual([]);
    expect(build({ addressSpaceMiB: 64 })).toContain(`--as=${64 * 1024 * 1024}`);
  });

  it('brings the library of a Python that is not the system’s', () => {
    expect(build({ file: '/opt/py/bin/python3.12' })).toEqual(expect.arrayContaining(['/opt/py/lib']));
    expect(build({ file: '/opt/node/bin/node' })).not.toContain('/opt/node/lib');
  });
});
