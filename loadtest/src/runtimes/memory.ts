import { readFileSync } from 'node:fs';
import { descendantsOf } from '@gantry/test/support/processes.js';

/** Proportional set size (proc(5)): what is shared counts by its share. */
function proportionalBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss: +(\d+) kB/m.exec(rollup)?.[1] ?? Number.NaN) * 1024;
}

/** Memory of a process and of each of its descendants, by command. */
export function readMemory(pid: number): { readonly command: string; readonly bytes: number }[] {
  return [pid, ...descendantsOf(pid)].flatMap((one) => {
    try {
      return [{ command: readFileSync(`/proc/${one}/comm`, 'utf8').trim(), bytes: proportionalBytes(one) }];
    } catch {
      return []; // It ended while we looked.
    }
  });
}
