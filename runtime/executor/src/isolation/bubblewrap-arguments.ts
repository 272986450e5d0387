import { basename, dirname, join } from 'node:path';
import type { LaunchPlan } from '../languages/language.js';
import type { ProcessBounds } from './isolation.js';
import { nobody, scrubbedEnvironment } from './thread-or-process.js';

/** Descriptors of bubblewrap beyond the program's own (0 to 3). It closes them before the program starts. */
export const wrapDescriptors = { filter: 4, info: 5, block: 6 } as const;

/** Where the program finds what is its own. */
export const insideFolders = { programs: '/gantry', scratch: '/tmp' } as const;

const firstProcess = '/proc/1';

/** What of the machine's own folders is shown, read-only. */
export interface SystemFolders {
  /** bubblewrap itself and util-linux’s prlimit. */
  readonly bubblewrapFile: string;
  readonly prlimitFile: string;
  /** `/lib`, `/lib64`: links into `/usr`, or folders of their own. */
  readonly roots: readonly { readonly path: string; readonly linkTarget?: string }[];
  /** RLIMIT_NPROC and RLIMIT_SIGPENDING count per user namespace (Linux 5.14), not per user of the whole machine. */
  readonly hasOwnProcessCount: boolean;
}

/**
 * Libraries and their data, but no programs, sources or local settings. The links in `alternatives` name the
 * machine's BLAS; the cache only makes loading faster.
 */
export const shownFolders = ['/usr/lib', '/usr/lib32', '/usr/lib64', '/usr/share', '/usr/local/lib'] as const;
export const shownSettings = ['/etc/alternatives', '/etc/ld.so.cache'] as const;
/** Not bubblewrap's `--dev`, which adds terminals and a writable folder. */
const shownDevices = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom'] as const;

/** Threads, not processes: there is only one. Node has eleven and one or two per warm function. */
export const maxThreads = 128;
/** Timers of the kernel count too. */
const maxPendingSignals = 1024;
export const maxOpenFiles = 512;
/** Ten seconds after the soft limit comes the kernel's own kill. */
export const hardCpuExtraSeconds = 10;
/**
 * Processor time of one process, all calls together. The second line behind the deadlines, for a supervisor that
 * hangs: the watchdog replaces an idle process at half of it, so that no call meets it that began before.
 */
export const cpuSeconds = 2 * 3600;

const mebibyte = 1024 * 1024;

const showIfThere = (paths: readonly string[]): string[] =>
  paths.flatMap((path) => ['--ro-bind-try', path, path]);

/** A Python outside of the system's folders brings its library: a prefix with `bin` and `lib`. Node is one file. */
export function libraryOf(file: string): string[] {
  if (file.startsWith('/usr/bin/') || !basename(file).startsWith('python')) return [];
  const prefix = dirname(dirname(file));
  return ['lib', 'lib64', 'pyvenv.cfg'].map((name) => join(prefix, name));
}

const showProgram = (file: string): string[] => ['--ro-bind', file, file, ...showIfThere(libraryOf(file))];

/** The file as the program sees it: what is staged moves with its folder. */
export function fileInside(plan: LaunchPlan): string {
  const isStaged = plan.file.startsWith(`${plan.readableFolder}/`);
  return isStaged ? join(insideFolders.programs, plan.file.slice(plan.readableFolder.length)) : plan.file;
}

/** Limits of one process that the kernel keeps (getrlimit(2)). */
function buildLimits(plan: LaunchPlan, bounds: ProcessBounds, system: SystemFolders): string[] {
  return [
    '--core=0',
    `--nofile=${maxOpenFiles}`,
    `--fsize=${bounds.scratchMiB * mebibyte}`,
    `--cpu=${cpuSeconds}:${cpuSeconds + hardCpuExtraSeconds}`,
    ...(system.hasOwnProcessCount ? [`--nproc=${maxThreads}`, `--sigpending=${maxPendingSignals}`] : []),
    ...(plan.addressSpaceMiB === undefined ? [] : [`--as=${Math.floor(plan.addressSpaceMiB * mebibyte)}`]),
  ];
}

/**
 * The arguments of bubblewrap for a program: namespaces of its own, a file system of libraries, its programs and an
 * empty scratch folder, no capabilities, a filter (by descriptor) and limits.
 */
export function buildBubblewrapArguments(
  plan: LaunchPlan,
  bounds: ProcessBounds,
  system: SystemFolders,
  isHeld: boolean,
): string[] {
  const file = fileInside(plan);
  const { scratch, programs } = insideFolders;
  const environment = { ...scrubbedEnvironment, HOME: scratch };
  const { filter, info, block } = wrapDescriptors;
  return [
    ...['user', 'pid', 'ipc', 'uts', 'net', 'cgroup'].map((name) => `--unshare-${name}`),
    ...['--die-with-parent', '--new-session', '--clearenv'],
    ...['--cap-drop', 'ALL', '--uid', `${nobody.uid}`, '--gid', `${nobody.gid}`, '--hostname', 'function'],
    ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
    ...showIfThere([...shownFolders, ...shownSettings]),
    ...system.roots.flatMap(({ path, linkTarget }) =>
      linkTarget === undefined ? ['--ro-bind', path, path] : ['--symlink', linkTarget, path],
    ),
    ...['--ro-bind', system.prlimitFile, system.prlimitFile],
    ...(file === plan.file ? showProgram(file) : []),
    ...['--ro-bind', plan.readableFolder, programs],
    // bubblewrap's own first process has the program's user: its memory must not be written, its arguments not be read.
    ...['--proc', '/proc', '--tmpfs', firstProcess, '--remount-ro', firstProcess],
    ...shownDevices.flatMap((path) => ['--dev-bind', path, path]),
    ...['--perms', '0700', '--size', `${bounds.scratchMiB * mebibyte}`, '--tmpfs', scratch],
    // The root is a tmpfs without a bound until here.
    ...['--remount-ro', '/', '--chdir', scratch],
    ...['--seccomp', `${filter}`, '--info-fd', `${info}`, ...(isHeld ? ['--block-fd', `${block}`] : [])],
    ...['--', system.prlimitFile, ...buildLimits(plan, bounds, system), '--', file, ...plan.args],
  ];
}
