import { describe, expect, it } from '@jest/globals';
import { deniedGroups } from '../seccomp/denied-calls.js';
import { buildSpec, type ContainerSpec } from './oci-spec.js';
import { seccompProfile } from './seccomp-profile.js';

const container: ContainerSpec = {
  name: 'gantry-container-x',
  rootFolder: '/tmp/x/root',
  visiblePaths: ['/usr/lib'],
  plan: { file: '/tmp/staged/node', args: ['/gantry/main.js'], readableFolder: '/tmp/staged' },
  bounds: { residentMiB: 100, scratchMiB: 10 },
  machine: { hasUserNamespaces: true, hasSwapLimit: true },
  hostUserId: 2_000_000_000,
};
const mebibyte = 1024 * 1024;

describe('buildSpec', () => {
  it('gives no capability, no network, no privilege, and bounds on everything', () => {
    const memoryBytes = 174 * mebibyte;
    expect(buildSpec(container)).toMatchObject({
      root: { readonly: true },
      process: {
        noNewPrivileges: true,
        user: { uid: 65534, gid: 65534 },
        capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
        env: ['LANG=C.UTF-8', 'TZ=UTC', 'PATH=/usr/bin:/bin', 'HOME=/tmp'],
      },
      linux: {
        cgroupsPath: '/gantry-container-x',
        namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup', 'user'].map((type) => ({ type })),
        resources: { memory: { limit: memoryBytes, swap: memoryBytes }, pids: { limit: 128 } },
      },
    });
  });

  it('shows files read-only, and what is staged where programs look for it', () => {
    const { mounts, process } = buildSpec(container) as {
      mounts: { source: string; destination: string; options: string[] }[];
      process: { args: string[] };
    };
    const shown = mounts.filter(({ source }) => source.startsWith('/'));
    expect(shown.map(({ source, destination }) => [source, destination])).toEqual([
      ['/usr/lib', '/usr/lib'],
      ['/tmp/staged', '/gantry'],
    ]);
    for (const { options } of shown) expect(options).toContain('ro');
    expect(process.args.slice(-2)).toEqual(['/gantry/node', '/gantry/main.js']);
  });

  it('holds to an address space what can be held to it, and nothing else', () => {
    const argsOf = (spec: object) => (spec as { process: { args: string[] } }).process.args;
    expect(argsOf(buildSpec(container)).join(' ')).not.toContain('--as');
    const python = { ...container, plan: { ...container.plan, addressSpaceMiB: 512 } };
    expect(argsOf(buildSpec(python))).toEqual(
      expect.arrayContaining(['/usr/bin/prlimit', '--as=536870912', '--']),
    );
  });

  it('leaves out what the machine has not', () => {
    const machine = { hasUserNamespaces: false, hasSwapLimit: false };
    const spec = buildSpec({ ...container, machine }) as {
      process: { user: object };
      linux: { namespaces: object[]; resources: { memory: object } };
    };
    expect(spec.process.user).toEqual({ uid: 2_000_000_000, gid: 2_000_000_000 });
    expect(spec.linux.namespaces).not.toContainEqual({ type: 'user' });
    expect(spec.linux).not.toHaveProperty('uidMappings');
    expect(spec.linux.resources.memory).toEqual({ limit: 174 * mebibyte });
  });
});

describe('seccompProfile', () => {
  const allowed = seccompProfile.syscalls
    .filter(({ action }) => action === 'SCMP_ACT_ALLOW')
    .flatMap(({ names }) => names);

  it('allows nothing that the sandbox denies', () => {
    const denied = deniedGroups.flatMap(({ calls }) => Object.keys(calls));
    expect(denied.length).toBeGreaterThan(50);
    expect(allowed.filter((name) => denied.includes(name))).toEqual([]);
  });

  it.each(['clone', 'ioctl', 'prctl', 'socketpair'])('looks into %s', (name) => {
    for (const rule of seccompProfile.syscalls) {
      if ((rule.names as readonly string[]).includes(name)) expect(rule).toHaveProperty('args');
    }
    expect(allowed).toContain(name);
  });

  it.each(['clone3', 'io_uring_setup', 'socket', 'memfd_create'])('has no %s', (name) => {
    expect(allowed).not.toContain(name);
  });
});
