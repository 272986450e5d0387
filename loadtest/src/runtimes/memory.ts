import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { descendantsOf } from '@gantry/test/support/processes.js';

/** Proportional set size (proc(5)): what is shared counts by its share. */
function proportionalBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss: +(\d+) kB/m.exec(rollup)?.[1] ?? Number.NaN) * 1024;
}

/** The floor: so many Node processes that do nothing, measured beside the others because they share its pages. */
export async function readEmptyProcesses(
  count: number,
  idleMs: number,
): Promise<{ readonly command: string; readonly bytes: number }[]> {
  const idle = 'setInterval(() => undefined, 1000000)';
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, ['-e', idle], { stdio: 'ignore', env: {} }),
  );
  try {
    await sleep(idleMs);
    return children.map(({ pid = 0 }) => ({ command: 'node', bytes: proportionalBytes(pid) }));
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
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
