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

/** Resident memory in bytes, from `/proc/<pid>/status` (proc(5)), which counts in KiB whatever a page is. */
export function readResidentBytes(pid: number): number | undefined {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status') ?? '');
  return found === null ? undefined : Number(found[1]) * kibibyte;
}

/** Processor time so far in clock ticks (1/100 s on Linux), from `/proc/<pid>/stat`. */
export function readCpuTicks(pid: number): number | undefined {
  const text = readProc(pid, 'stat');
  if (text === undefined) return undefined;
  // The second field is the program's name, in parentheses, and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[userTicksField]) + Number(fields[systemTicksField]);
}
