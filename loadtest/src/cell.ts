import { readCpu } from './measure/cpu.js';
import type { Generator } from './measure/forked.js';
import type { LoadFigures, LoadOrder } from './measure/load.js';

export const subjects = ['bare', 'confirmed', 'floor', 'pipeline'] as const;
export type Subject = (typeof subjects)[number];

/** One measurement. */
export interface Cell extends LoadFigures {
  readonly subject: Subject;
  readonly repeat: number;
  /** Bare workers, or runtime processes. */
  readonly workers: number;
  readonly concurrency: number;
  readonly requestsPerSecond: number;
  /** CPU microseconds per request, by group of processes. */
  readonly cpuUsByGroup: Readonly<Record<string, number>>;
  readonly cpuUs: number;
  /** The part of the machine that others took meanwhile, 0 to 1. */
  readonly foreignShare: number;
}

/** Roots of the process trees that take part, by group. What else runs, also of ours, counts as foreign. */
export type Accounts = Readonly<Record<string, readonly number[]>>;

/** Runs one order and takes stock of the CPU exactly over its measured window. */
export async function measureCell(
  generator: Generator,
  order: LoadOrder,
  accounts: Accounts,
  identity: Pick<Cell, 'subject' | 'repeat' | 'workers'>,
): Promise<Cell> {
  let before = readCpu(accounts);
  const figures = await generator.run(order, () => {
    before = readCpu(accounts);
  });
  const after = readCpu(accounts);
  const used = (group: string) => (after.byGroup[group] ?? 0) - (before.byGroup[group] ?? 0);
  const cpuUsByGroup = Object.fromEntries(
    Object.keys(accounts).map((group) => [group, used(group) / figures.requests]),
  );
  const oursUs = Object.keys(accounts).reduce((sum, group) => sum + used(group), 0);
  const busyUs = after.busyUs - before.busyUs;
  return {
    ...identity,
    ...figures,
    concurrency: order.concurrency,
    requestsPerSecond: figures.requests / figures.seconds,
    cpuUsByGroup,
    cpuUs: oursUs / figures.requests,
    foreignShare: Math.max(0, busyUs - oursUs) / (after.capacityUs - before.capacityUs),
  };
}
