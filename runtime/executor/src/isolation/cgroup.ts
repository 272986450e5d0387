import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { maxThreads } from './bubblewrap-arguments.js';
import { readChargedBytes } from './cgroup-memory.js';
import type { DeathReason, ProcessBounds } from './isolation.js';
import { isStale, namesOf } from './supervisor-name.js';

/**
 * Cgroups of programs (cgroups(7)): the kernel's own account of their memory, threads and processor share.
 *
 * I1  The name of a cgroup says which supervisor made it, so that those of supervisors that were killed can be found.
 * I2  A cgroup is removed after its process; one that cannot be removed yet is tried again, and at the next start.
 */
export interface ProcessCgroup {
  /** @throws {Error} when the process cannot be put into it */
  add(pid: number): void;
  /** What it is charged with; see {@link readChargedBytes}. */
  memoryBytes(): number | undefined;
  /** Removes it, after the end of its process; says when the kernel ended that for its memory. */
  remove(): DeathReason | undefined;
}

/** A place below which cgroups can be made. */
export interface CgroupParent {
  /** For people. */
  readonly path: string;
  /** @throws {Error} when it cannot be made */
  create(bounds: ProcessBounds): ProcessCgroup;
}

/** The folders of the hierarchies: one for all controllers (version 2), or one for each (version 1). */
export interface CgroupFolders {
  readonly version: 1 | 2;
  readonly memory: string;
  readonly pids: string;
  readonly cpu: string;
}

/** What the watchdog needs to be the first to see an excess, because it can name it better. */
const memorySlackMiB = 64;
const mebibyte = 1024 * 1024;
/** What the names of all of them begin with; see `supervisor-name.ts`. */
export const cgroupPrefix = 'gantry-sandbox-';
const removeTries = 20;
const removeAgainMs = 50;

/** The files to write into a new cgroup, in this order; `isOptional` where a kernel may lack the file. */
export function planCgroupFiles(
  version: 1 | 2,
  bounds: ProcessBounds,
): readonly { controller: 'memory' | 'pids' | 'cpu'; file: string; value: string; isOptional: boolean }[] {
  const memoryBytes = String((bounds.residentMiB + bounds.scratchMiB + memorySlackMiB) * mebibyte);
  const set = (controller: 'memory' | 'pids' | 'cpu', file: string, value: string, isOptional = false) => ({
    controller,
    file: `${controller}.${file}`,
    value,
    isOptional,
  });
  const threads = String(maxThreads);
  // The share of one ordinary process, however many threads it has. Less would starve it on a busy machine.
  return version === 2
    ? [
        set('memory', 'max', memoryBytes),
        set('memory', 'swap.max', '0', true),
        set('memory', 'oom.group', '1', true),
        set('pids', 'max', threads),
        set('cpu', 'weight', '100', true),
      ]
    : [
        set('memory', 'limit_in_bytes', memoryBytes),
        set('memory', 'memsw.limit_in_bytes', memoryBytes, true),
        set('pids', 'max', threads),
        set('cpu', 'shares', '1024', true),
      ];
}

const distinct = (folders: CgroupFolders): string[] => [
  ...new Set([folders.memory, folders.pids, folders.cpu]),
];

/** I2: what supervisors left that are no more. */
export function removeStaleCgroups(folders: CgroupFolders): void {
  for (const folder of distinct(folders)) {
    for (const name of readdirSync(folder)) {
      if (isStale(cgroupPrefix, name)) tryRemove(join(folder, name));
    }
  }
}

function tryRemove(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
  }
}

/** A process that was just killed may still be leaving. */
function removeSoon(folder: string, tries = removeTries): void {
  if (tryRemove(folder) || tries === 0) return;
  setTimeout(removeSoon, removeAgainMs, folder, tries - 1).unref();
}

/** How often the kernel killed in it for lack of memory. */
function countMemoryKills(memoryFolder: string, version: 1 | 2): number {
  try {
    const text = readFileSync(
      join(memoryFolder, version === 2 ? 'memory.events' : 'memory.oom_control'),
      'latin1',
    );
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

let made = 0;

/** @throws {Error} when it cannot be made; nothing is left then */
export function createCgroup(parents: CgroupFolders, bounds: ProcessBounds): ProcessCgroup {
  made += 1;
  const name = `${namesOf(cgroupPrefix, process.pid)}${made}`; // I1
  const { version } = parents;
  const folders = {
    version,
    memory: join(parents.memory, name),
    pids: join(parents.pids, name),
    cpu: join(parents.cpu, name),
  };
  const remove = () => {
    for (const folder of distinct(folders)) removeSoon(folder);
  };
  try {
    for (const folder of distinct(folders)) mkdirSync(folder);
    for (const { controller, file, value, isOptional } of planCgroupFiles(version, bounds)) {
      writeLimit(join(folders[controller], file), value, isOptional);
    }
  } catch (error) {
    remove();
    throw error;
  }
  return {
    add: (pid) => {
      for (const folder of distinct(folders)) writeFileSync(join(folder, 'cgroup.procs'), String(pid));
    },
    memoryBytes: () => readChargedBytes(folders.memory),
    remove: () => {
      const kills = countMemoryKills(folders.memory, version);
      remove();
      const text = `the process of the function used more than ${bounds.residentMiB} MiB`;
      return kills > 0 ? { code: 'out-of-memory', text } : undefined;
    },
  };
}

function writeLimit(file: string, value: string, isOptional: boolean): void {
  try {
    writeFileSync(file, value, { flag: 'r+' });
  } catch (error) {
    if (!isOptional) throw error;
  }
}
