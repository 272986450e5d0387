import type { LaunchPlan } from '../../languages/language.js';
import {
  cpuSeconds,
  fileInside,
  hardCpuExtraSeconds,
  insideFolders,
  maxOpenFiles,
  maxThreads,
} from '../bubblewrap-arguments.js';
import type { ProcessBounds } from '../isolation.js';
import { nobody, scrubbedEnvironment } from '../thread-or-process.js';
import { seccompProfile } from './seccomp-profile.js';

const mebibyte = 1024 * 1024;
/** Page tables, sockets, files in memory, and what the watchdog needs to be the first to see an excess. */
const memorySlackMiB = 64;
/** A function and the collector beside it, with a quarter of the usual share: the platform goes first. */
const cpuPeriodUs = 100_000;
const cpuQuotaUs = 2 * cpuPeriodUs;
const cpuShares = 256;
/** Above everything of the platform: when the whole machine is out of memory, functions go first. */
const oomScoreAdj = 500;

const readOnlyBind = ['rbind', 'ro', 'nosuid', 'nodev'];
/** Files in scratch: more than the watchdog allows, so that it is the one to say what was exceeded. */
const scratchOptions = ['nosuid', 'nodev', 'noexec', 'nr_inodes=64k'];
/** Parts of procfs that tell of the machine or steer it, as container engines hide them. */
const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Of util-linux; shown to the container at the same paths. */
export const setprivFile = '/usr/bin/setpriv';
export const prlimitFile = '/usr/bin/prlimit';

export interface ContainerSpec {
  /** Also the name of its control group. */
  readonly name: string;
  /** Folder with the empty mount points. */
  readonly rootFolder: string;
  /** Folders and files of the machine that it sees read-only, at their own paths. */
  readonly visiblePaths: readonly string[];
  readonly plan: LaunchPlan;
  readonly bounds: ProcessBounds;
  readonly machine: MachineAbilities;
  /** A user of the machine that nothing else has. */
  readonly hostUserId: number;
}

/** What this machine lets a container have. */
export interface MachineAbilities {
  readonly hasUserNamespaces: boolean;
  /** The memory limit covers swap. */
  readonly hasSwapLimit: boolean;
}

/** What a container may use of the machine's memory; its scratch folder is part of it. */
const memoryMiBOf = ({ residentMiB, scratchMiB }: ProcessBounds): number =>
  Math.ceil(residentMiB + scratchMiB + memorySlackMiB);

/**
 * The container as runc reads it (OCI runtime specification 1.0.2, `config.json`): nothing of the machine but
 * programs, no network, no capabilities, a scratch folder in memory.
 */
export function buildSpec(container: ContainerSpec): object {
  const { name, rootFolder, bounds, machine } = container;
  const memoryBytes = memoryMiBOf(bounds) * mebibyte;
  return {
    ociVersion: '1.0.2',
    hostname: 'function',
    root: { path: rootFolder, readonly: true },
    process: processOf(container),
    mounts: mountsOf(container),
    linux: {
      cgroupsPath: `/${name}`,
      namespaces: namespacesOf(machine).map((type) => ({ type })),
      ...userMappings(container),
      resources: {
        memory: { limit: memoryBytes, ...(machine.hasSwapLimit ? { swap: memoryBytes } : {}) },
        pids: { limit: maxThreads },
        cpu: { quota: cpuQuotaUs, period: cpuPeriodUs, shares: cpuShares },
        devices: [{ allow: false, access: 'rwm' }],
      },
      seccomp: seccompProfile,
      maskedPaths,
      readonlyPaths,
    },
  };
}

/** Its user as it sees it. */
const userIdInside = ({ machine, hostUserId }: ContainerSpec): number =>
  machine.hasUserNamespaces ? nobody.uid : hostUserId;

function processOf(container: ContainerSpec): object {
  const { plan, bounds } = container;
  const userId = userIdInside(container);
  const limit = (type: string, value: number, hard = value) => ({
    type: `RLIMIT_${type}`,
    soft: value,
    hard,
  });
  return {
    terminal: false,
    user: { uid: userId, gid: userId },
    // Its parent is runc, which dies with the supervisor: neither may leave it behind. The filter keeps it so.
    args: [setprivFile, '--pdeathsig', 'KILL', ...addressSpaceOf(plan), fileInside(plan), ...plan.args],
    env: Object.entries({ ...scrubbedEnvironment, HOME: insideFolders.scratch }).map(
      ([key, value]) => `${key}=${value}`,
    ),
    cwd: insideFolders.scratch,
    capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
    noNewPrivileges: true,
    oomScoreAdj,
    rlimits: [
      limit('NOFILE', maxOpenFiles),
      limit('FSIZE', bounds.scratchMiB * mebibyte),
      limit('CORE', 0),
      limit('CPU', cpuSeconds, cpuSeconds + hardCpuExtraSeconds),
    ],
  };
}

/** Not among the container's own limits: runc itself needs more to start the program. */
const addressSpaceOf = ({ addressSpaceMiB }: LaunchPlan): string[] =>
  addressSpaceMiB === undefined ? [] : [prlimitFile, `--as=${Math.floor(addressSpaceMiB * mebibyte)}`, '--'];

function mountsOf(container: ContainerSpec): object[] {
  const { plan, bounds, visiblePaths } = container;
  const userId = userIdInside(container);
  const bind = (source: string, destination = source) => ({
    destination,
    source,
    type: 'bind',
    options: readOnlyBind,
  });
  return [
    { destination: '/proc', source: 'proc', type: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      source: 'tmpfs',
      type: 'tmpfs',
      options: ['nosuid', 'noexec', 'mode=755', 'size=64k'],
    },
    {
      destination: insideFolders.scratch,
      source: 'tmpfs',
      type: 'tmpfs',
      options: [
        ...scratchOptions,
        'mode=700',
        `uid=${userId}`,
        `gid=${userId}`,
        `size=${bounds.scratchMiB}m`,
      ],
    },
    ...visiblePaths.map((path) => bind(path)),
    bind(plan.readableFolder, insideFolders.programs),
  ];
}

function namespacesOf(machine: MachineAbilities): string[] {
  const always = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'];
  return machine.hasUserNamespaces ? [...always, 'user'] : always;
}

function userMappings({ machine, hostUserId }: ContainerSpec): object {
  if (!machine.hasUserNamespaces) return {};
  // runc itself prepares the container as user 0 of its namespace, which is nobody outside of it, too.
  const mappings = [
    { containerID: 0, hostID: hostUserId + 1, size: 1 },
    { containerID: nobody.uid, hostID: hostUserId, size: 1 },
  ];
  return { uidMappings: mappings, gidMappings: mappings };
}
