import { readFileSync } from 'node:fs';

/** A process, told apart from a later one with the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot (proc(5), field 22); empty where there is no /proc. */
  readonly startTicks: string;
}

/** The identity of a process that runs now. */
export const identityOf = (pid: number): ProcessIdentity => ({
  pid,
  startTicks: readStat(pid)?.startTicks ?? '',
});

/** Whether this very process still runs; one that ended and was not waited for yet does not. */
export function isAlive({ pid, startTicks }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  if (stat !== undefined) return stat.startTicks === startTicks && stat.state !== 'Z' && stat.state !== 'X';
  if (startTicks !== '') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Sends a signal to this very process, never to another that got its id. Answers whether it was there. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Undefined where there is no such process, or no /proc. */
function readStat(pid: number): { state: string; startTicks: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name may hold spaces and parentheses: count from its last one. Field 3 follows it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
