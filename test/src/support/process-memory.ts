/** Memory of other processes, from /proc. */
import { readFileSync, writeFileSync } from 'node:fs';
import { until } from './processes.js';

/** For the environment of a program whose garbage is to be collected by {@link collectGarbage}. */
export const garbageOptions = {
  NODE_OPTIONS: `--import=${new URL('./collect-garbage.preload.js', import.meta.url).href}`,
};

const marks = (text: string) => text.split('garbage collected').length;

/** Resolves when the program has collected its garbage. @param output what it wrote so far */
export async function collectGarbage(pid: number, output: () => string): Promise<void> {
  const before = marks(output());
  process.kill(pid, 'SIGUSR2');
  await until('the collection of garbage', () => marks(output()) > before);
}

const kibField = (text: string, field: string) =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN) * 1024;

/** Proportional set size (proc(5)): what is shared counts by its share. */
export const proportionalBytes = (pid: number): number =>
  kibField(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss');

/** By how many bytes each process grew at its highest while `work` ran. */
export async function peakGrowth(pids: readonly number[], work: () => Promise<void>): Promise<number[]> {
  const read = (pid: number, field: string) => kibField(readFileSync(`/proc/${pid}/status`, 'utf8'), field);
  // Forgets the highest value so far (proc(5)).
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const before = pids.map((pid) => read(pid, 'VmRSS'));
  await work();
  return pids.map((pid, index) => read(pid, 'VmHWM') - (before[index] ?? 0));
}
