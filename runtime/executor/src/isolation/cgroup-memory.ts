import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The names of what is read, in version 1 and 2 (cgroups(7); cgroup-v1/memory.rst, cgroup-v2.rst of the kernel). */
const versions = [
  { usage: 'memory.usage_in_bytes', files: 'total_cache', shared: 'total_shmem', swap: 'total_swap' },
  { usage: 'memory.current', files: 'file', shared: 'shmem', swap: undefined },
] as const;
const swapFile = 'memory.swap.current';

/**
 * What the kernel charges a cgroup with, in bytes: memory of its processes, resident or swapped out, memory they share,
 * whether mapped or not, files in a scratch folder in memory, pipes, and what the kernel itself needs for them. Not the
 * pages of files on a disk, which the kernel takes back as it likes. Undefined where there is no such cgroup.
 */
export function readChargedBytes(folder: string): number | undefined {
  for (const { usage, files, shared, swap } of versions) {
    const bytes = Number(read(folder, usage) ?? Number.NaN);
    if (Number.isNaN(bytes)) continue;
    const counts = read(folder, 'memory.stat') ?? '';
    const countOf = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(counts)?.[1] ?? 0);
    const swapped = swap === undefined ? Number(read(folder, swapFile) ?? 0) : countOf(swap);
    return Math.max(0, bytes - countOf(files) + countOf(shared)) + swapped;
  }
  return undefined;
}

function read(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), 'latin1').trim();
  } catch {
    return undefined;
  }
}
