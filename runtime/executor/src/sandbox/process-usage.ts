import { readFileSync } from 'node:fs';

const kibibyte = 1024;
const userTicksField = 11;
const systemTicksField = 12;

/** A file of procfs, which never waits for a disk; undefined when there is no such process, or no procfs. */
function readProc(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return undefined;
  }
}

/**
 * Memory in bytes, resident or swapped out, from `/proc/<pid>/status` (proc(5)), which counts in KiB whatever a page
 * is.
 */
export function readResidentBytes(pid: number): number | undefined {
  const text = readProc(pid, 'status') ?? '';
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(text);
  if (resident === null) return undefined;
  const swapped = /^VmSwap:\s+(\d+) kB$/m.exec(text);
  return (Number(resident[1]) + Number(swapped?.[1] ?? 0)) * kibibyte;
}

/**
 * What a process takes of the machine, in bytes: what the kernel charges it with where there is an account of that (a
 * cgroup), else what is resident of it, which leaves out files in memory and shared memory that is not mapped. 0 when
 * it is not there.
 */
export function readMemoryBytes(process: {
  readonly pid: number | undefined;
  memoryBytes(): number | undefined;
}): number {
  const resident = () => (process.pid === undefined ? undefined : readResidentBytes(process.pid));
  return process.memoryBytes() ?? resident() ?? 0;
}

/** Processor time so far in clock ticks (1/100 s on Linux), from `/proc/<pid>/stat`. */
export function readCpuTicks(pid: number): number | undefined {
  const text = readProc(pid, 'stat');
  if (text === undefined) return undefined;
  // The second field is the program's name, in parentheses, and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[userTicksField]) + Number(fields[systemTicksField]);
}
