import type { ChildProcess, StdioOptions } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  statfsSync,
} from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { messageOf } from '@gantry/kernel';
import {
  buildBubblewrapArguments,
  insideFolders,
  type SystemFolders,
  wrapDescriptors,
} from './bubblewrap-arguments.js';
import type { CgroupParent, ProcessCgroup } from './cgroup.js';
import { type DeathReason, type Isolation, IsolationError, type StartedProcess } from './isolation.js';
import { encodeFilter } from './seccomp/filter.js';
import { nobody } from './thread-or-process.js';
import { hasUserNumbers, takeUserNumber } from './user-numbers.js';

/**
 * Level `sandbox`: bubblewrap (https://github.com/containers/bubblewrap) around each program.
 *
 * I1  Whatever the supervisor is, bubblewrap and the program are an unprivileged user, outside of the namespace too;
 *     when it is root, each of them another.
 * I2  The program does not start before its filter is loaded and, where there is one, it is in its cgroup.
 * I3  The program is a child of the first process of its namespace, which is bubblewrap's and dies with the supervisor,
 *     and with it all others. What the program turns itself into does not matter.
 * I4  What this machine cannot give is an error or is named in the description; nothing is left out silently.
 */
const searchedFolders = ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin'] as const;
const maxInfoChars = 4096;

const childrenFile = (pid: number) => `/proc/${pid}/task/${pid}/children`;

function findProgram(name: string, debianPackage: string): string {
  for (const folder of searchedFolders) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  throw new IsolationError('sandbox', `there is no ${name}; install it (Debian: ${debianPackage})`);
}

function findRoots(): SystemFolders['roots'] {
  return ['/lib', '/lib32', '/lib64'].flatMap((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return [];
    return found.isSymbolicLink() ? [{ path, linkTarget: readlinkSync(path) }] : [{ path }];
  });
}

/** Since Linux 5.14 RLIMIT_NPROC counts the processes of a user in each user namespace. */
function hasOwnProcessCount(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 14);
}

/** The first child of a process; undefined when it has none, or is gone. */
function firstChildOf(pid: number): number | undefined {
  try {
    const [child] = readFileSync(childrenFile(pid), 'latin1').trim().split(' ').map(Number);
    return child === undefined || child === 0 ? undefined : child;
  } catch {
    return undefined;
  }
}

/** @throws {IsolationError} when a program is missing, or what the kernel tells of processes */
export function findSystem(): SystemFolders {
  if (!existsSync(childrenFile(process.pid)))
    throw new IsolationError(
      'sandbox',
      'the kernel does not tell the children of processes (CONFIG_PROC_CHILDREN)',
    );
  return {
    bubblewrapFile: findProgram('bwrap', 'bubblewrap'),
    prlimitFile: findProgram('prlimit', 'util-linux'),
    roots: findRoots(),
    hasOwnProcessCount: hasOwnProcessCount(),
  };
}

/** The pid of the first process of the namespace in `--info-fd`'s JSON, once it is whole. */
function parseFirstPid(text: string): number | undefined {
  const pid = Number(/"child-pid":\s*(\d+)/.exec(text)?.[1]);
  return Number.isSafeInteger(pid) && pid > 1 && text.includes('}') ? pid : undefined;
}

function signalIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** A program in its sandbox: learns its real pid, puts it into its cgroup, lets it go. */
class SandboxedProcess implements StartedProcess {
  readonly #child: ChildProcess;
  #cgroup: ProcessCgroup | undefined;
  #firstPid: number | undefined;
  #pid: number | undefined;
  #isOver: boolean = false;
  #isKilled: boolean = false;
  #failure: DeathReason | undefined;

  constructor(child: ChildProcess, filter: Buffer, createCgroup: (() => ProcessCgroup) | undefined) {
    this.#child = child;
    this.#attempt(() => {
      this.#cgroup = createCgroup?.();
    });
    const pipe = (descriptor: number) => {
      const stream = child.stdio[descriptor] as Duplex | null | undefined;
      // bubblewrap may end before it reads; its exit and its last words tell the rest.
      stream?.on('error', () => undefined);
      return stream;
    };
    pipe(wrapDescriptors.filter)?.end(filter);
    const block = pipe(wrapDescriptors.block);
    let text = '';
    const info = pipe(wrapDescriptors.info);
    info?.setEncoding('utf8').on('data', (chunk: string) => {
      if (this.#firstPid !== undefined || text.length > maxInfoChars) return;
      text += chunk;
      const pid = parseFirstPid(text);
      if (pid === undefined) return;
      this.#firstPid = pid;
      if (this.#isKilled) this.kill();
      this.#attempt(() => this.#cgroup?.add(pid)); // The program is its child, and begins in the same cgroup.
      if (this.#failure === undefined) block?.end('.'); // I2
    });
  }

  get pid(): number | undefined {
    if (this.#isOver || this.#firstPid === undefined) return undefined;
    this.#pid ??= firstChildOf(this.#firstPid);
    return this.#pid;
  }

  kill(): void {
    if (this.#isOver) return;
    this.#isKilled = true;
    // With the first process of a namespace all of it ends (I3). bubblewrap then ends by itself.
    if (this.#firstPid !== undefined) signalIfThere(this.#firstPid);
    if (this.#child.pid !== undefined) signalIfThere(-this.#child.pid);
  }

  countScratchFiles(): number | undefined {
    if (this.pid === undefined) return undefined;
    try {
      const { files, ffree } = statfsSync(`/proc/${this.pid}/root${insideFolders.scratch}`);
      return files - ffree;
    } catch {
      return undefined; // It just ended, or this machine does not let one look.
    }
  }

  memoryBytes(): number | undefined {
    return this.#isOver ? undefined : this.#cgroup?.memoryBytes();
  }

  ended(): DeathReason | undefined {
    this.#isOver = true;
    return this.#cgroup?.remove() ?? this.#failure;
  }

  /** What goes wrong with a cgroup ends the program: it would run with less than was promised. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failure = { code: 'worker-lost', text: `its cgroup cannot be had: ${messageOf(error)}` };
      this.kill();
    }
  }
}

export interface SandboxParts {
  readonly system: SystemFolders;
  readonly uid: number | undefined;
  readonly architecture: string;
  /** Where cgroups of programs are made, or why there are none. */
  readonly cgroups: CgroupParent | { readonly missing: string };
}

/** @throws {IsolationError} when there is no filter for this architecture */
export function sandbox({ system, uid, architecture, cgroups }: SandboxParts): Isolation {
  const filter = encodeFilter(architecture);
  if (filter === undefined) {
    throw new IsolationError(
      'sandbox',
      `there is no system call filter for ${architecture}; choose "container"`,
    );
  }
  const isOtherUser = uid === 0;
  const isOneUser = isOtherUser && !hasUserNumbers();
  const userOf = () => {
    const number = isOneUser ? nobody.uid : takeUserNumber();
    return { uid: number, gid: isOneUser ? nobody.gid : number };
  };
  const parent = 'missing' in cgroups ? undefined : cgroups;
  const stdio: StdioOptions = [
    'ignore',
    ...Array<'pipe'>(parent === undefined ? wrapDescriptors.info : wrapDescriptors.block).fill('pipe'),
  ];
  return {
    level: 'sandbox',
    description: `functions run in bubblewrap with a system call filter, ${
      'missing' in cgroups ? `without a cgroup (${cgroups.missing})` : `in cgroups below ${cgroups.path}`
    }${isOneUser ? ', all as the same user (this user namespace has no others)' : ''}`, // I4
    isRestricted: true,
    isOtherUser,
    folderInside: () => insideFolders.programs,
    launch: (plan, bounds) => ({
      file: system.bubblewrapFile,
      args: buildBubblewrapArguments(plan, bounds, system, parent !== undefined),
      options: {
        cwd: '/',
        env: {},
        detached: true,
        stdio,
        ...(isOtherUser ? userOf() : {}), // I1
      },
      started: (child) => new SandboxedProcess(child, filter, parent && (() => parent.create(bounds))),
    }),
  };
}
