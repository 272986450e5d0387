/** How busy the cores were between two looks. Pure. */
import type { CpuInfo } from 'node:os';

export interface CpuTimes {
  readonly idleMs: number;
  readonly totalMs: number;
}

export const cpuTimesOf = (cpus: readonly Pick<CpuInfo, 'times'>[]): readonly CpuTimes[] =>
  cpus.map(({ times }) => ({
    idleMs: times.idle,
    totalMs: times.user + times.nice + times.sys + times.idle + times.irq,
  }));

/** Percent of each core and of all together; 0 where no time passed, or the counters went back. */
export function cpuLoadBetween(
  before: readonly CpuTimes[],
  after: readonly CpuTimes[],
): { percent: number; perCore: readonly number[] } {
  const deltas = after.map((core, index) => ({
    total: core.totalMs - (before[index]?.totalMs ?? 0),
    idle: core.idleMs - (before[index]?.idleMs ?? 0),
  }));
  const sum = deltas.reduce((all, one) => ({ total: all.total + one.total, idle: all.idle + one.idle }), {
    total: 0,
    idle: 0,
  });
  return { percent: busyPercent(sum), perCore: deltas.map(busyPercent) };
}

const busyPercent = ({ total, idle }: { total: number; idle: number }): number =>
  total <= 0 ? 0 : toPercent(1 - idle / total);

/** 0 to 100 with one decimal. */
export const toPercent = (share: number): number =>
  Math.round(Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0)) * 1000) / 10;
