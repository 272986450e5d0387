/** Looking at processes of this machine, which outlive the agent and whose numbers are used again. */
import { readdirSync, readFileSync } from 'node:fs';

/** A process for good: its number, when it began (clock ticks since the boot), and which boot that was. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string;
  readonly bootId: string;
}

interface StatFields {
  readonly pid: number;
  readonly state: string;
  readonly group: number;
  readonly startTicks: string;
}

/** One line of `/proc/<pid>/stat`; undefined when it is not one. Pure. */
export function parseStat(text: string): StatFields | undefined {
  // The name in parentheses may hold anything, also parentheses (proc(5)).
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const pid = Number.parseInt(text, 10);
  const [state = '', , group = ''] = fields;
  const startTicks = fields[19];
  if (end === -1 || startTicks === undefined || !Number.isInteger(pid)) return undefined;
  return { pid, state, group: Number(group), startTicks };
}

const readBootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** Whether it still runs; a zombie does not. */
export function isAlive({ pid, startTicks, bootId }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  return (
    stat !== undefined && stat.state !== 'Z' && stat.startTicks === startTicks && readBootId() === bootId
  );
}

/**
 * The processes that carry a variable with this value in the environment they were started with, or are in the group.
 * Only a process that cleared its environment and left the group escapes. Without those that ended or are not ours.
 */
export function findProcesses(mark: string, group: number | undefined): readonly number[] {
  const wanted = Buffer.from(`\0${mark}\0`);
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const stat = readStat(pid);
    if (stat === undefined || stat.state === 'Z') continue;
    if (stat.group === group || carries(pid, wanted)) found.push(pid);
  }
  return found;
}

function carries(pid: number, wanted: Buffer): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`);
    return Buffer.concat([Buffer.of(0), environment, Buffer.of(0)]).includes(wanted);
  } catch {
    // It ended, or belongs to somebody else.
    return false;
  }
}

function readStat(pid: number): StatFields | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Sends a signal to each; those that ended meanwhile do not matter. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended.
    }
  }
}
