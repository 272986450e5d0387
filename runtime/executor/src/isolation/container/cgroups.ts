import { readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The control groups of containers, found by name. Version 1 has a hierarchy for each controller, version 2 has one;
 * machines in between have both, and a container is in each of them.
 */
const mountsFile = '/proc/self/mounts';
/** Of version 1 and 2. */
const memoryFiles = ['memory.oom_control', 'memory.events'];

/** Where hierarchies of control groups are mounted (cgroups(7)); none on a machine without them. */
export function cgroupRoots(mounts: string = readFileSync(mountsFile, 'utf8')): string[] {
  return mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, folder = '']) => folder);
}

/** Names of the control groups directly below the roots that begin so. */
export function cgroupsNamed(prefix: string, roots: readonly string[]): Set<string> {
  const names = roots.flatMap((root) => entriesOf(root).filter((name) => name.startsWith(prefix)));
  return new Set(names);
}

/** Kills whatever is in a control group. Returns how many processes there were. */
export function killCgroup(name: string, roots: readonly string[]): number {
  const pids = new Set(roots.flatMap((root) => pidsIn(join(root, name))));
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  return pids.size;
}

/** Removes a control group where it is empty; true when nothing of it is left. */
export function removeCgroup(name: string, roots: readonly string[]): boolean {
  return roots.map((root) => removeFolder(join(root, name))).every((isGone) => isGone);
}

/** How often the kernel killed in a control group because there was no memory. */
export function countMemoryKills(name: string, roots: readonly string[]): number {
  const counts = roots.flatMap((root) =>
    memoryFiles.map((file) => Number(/^oom_kill (\d+)$/m.exec(readText(join(root, name, file)))?.[1] ?? 0)),
  );
  return Math.max(0, ...counts);
}

function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    // Busy: a process in it is still ending.
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function pidsIn(folder: string): number[] {
  const pids = readText(join(folder, 'cgroup.procs')).split('\n').map(Number);
  // Zero stands for a process outside of this namespace, and would mean our own group to kill(2).
  return pids.filter((pid) => pid > 0);
}

/** Nothing where there is no such file, or its control group is going. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
