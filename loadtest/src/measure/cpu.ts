/** CPU time of process trees and of the machine, from /proc. Linux only. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** CPU microseconds by group of processes, and of the whole machine, since each began. */
export interface CpuReading {
  readonly byGroup: Readonly<Record<string, number>>;
  /** Everything that ran on the machine. */
  readonly busyUs: number;
  /** Busy and idle: the time that passed, times the cores. */
  readonly capacityUs: number;
}

interface ProcessStat {
  readonly parent: number;
  readonly us: number;
}

const tickUs = 1_000_000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/**
 * Reads the CPU time of each group of process trees. Children that ended are in the account of the parent that
 * waited for them, so that a replaced worker loses nothing.
 */
export function readCpu(groups: Readonly<Record<string, readonly number[]>>): CpuReading {
  const processes = readProcesses();
  const children = new Map<number, number[]>();
  for (const [pid, { parent }] of processes) children.set(parent, [...(children.get(parent) ?? []), pid]);
  const usOfTree = (pid: number): number =>
    (processes.get(pid)?.us ?? 0) +
    (children.get(pid) ?? []).reduce((sum, child) => sum + usOfTree(child), 0);
  const byGroup = Object.fromEntries(
    Object.entries(groups).map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + usOfTree(pid), 0)]),
  );
  return { byGroup, ...readMachine() };
}

function readProcesses(): Map<number, ProcessStat> {
  const processes = new Map<number, ProcessStat>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // Behind the command, which may hold blanks and brackets; proc(5) numbers state 3, ppid 4, utime 14 … cstime 17.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
      processes.set(Number(name), { parent: Number(fields[1]), us: ticks * tickUs });
    } catch {
      // It ended while we looked.
    }
  }
  return processes;
}

function readMachine(): { busyUs: number; capacityUs: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '';
  // user nice system idle iowait irq softirq steal; guest time is within user.
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, one) => sum + one, 0);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return { busyUs: (all - idle) * tickUs, capacityUs: all * tickUs };
}

/** The process that listens on a port of this machine; for servers that are started through wrappers. */
export function pidListeningOn(port: number): number {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter((fields) => fields[1]?.endsWith(`:${hexPort}`) === true && fields[3] === '0A')
        .map((fields) => `socket:[${fields[9]}]`),
    ),
  );
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one)))
    if (openFilesOf(name).some((target) => inodes.has(target))) return Number(name);
  throw new Error(`Found no process that listens on port ${port}`);
}

function openFilesOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    // Ended, or not ours to look into.
    return [];
  }
}
