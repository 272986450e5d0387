import { readCpu } from '../measure/cpu.js';
import type { Generator } from '../measure/forked.js';
import type { LoadFigures, LoadOrder } from '../measure/load.js';
import { median } from '../measure/statistics.js';
import type { Size } from './origin.js';

export const ways = ['direct', 'tunnelled'] as const;
export type Way = (typeof ways)[number];

export interface Exchange {
  readonly method: 'GET' | 'POST';
  readonly size: Size;
}

export const exchanges: readonly Exchange[] = [
  { method: 'GET', size: 'small' },
  { method: 'POST', size: 'small' },
  { method: 'GET', size: 'large' },
  { method: 'POST', size: 'large' },
];

export interface TunnelCell extends LoadFigures, Exchange {
  readonly way: Way;
  readonly repeat: number;
  readonly concurrency: number;
  readonly requestsPerSecond: number;
  /** CPU microseconds per request of the node, and of the bridge; without the generator. */
  readonly nodeUs: number;
  readonly bridgeUs: number;
  readonly foreignShare: number;
}

export interface Pids {
  readonly node: number;
  readonly bridge: number;
}

/** One measurement, with the CPU exactly of its window. */
export async function measureTunnel(
  generator: Generator,
  order: LoadOrder,
  pids: Pids,
  identity: Exchange & { readonly way: Way; readonly repeat: number },
): Promise<TunnelCell> {
  const groups = { node: [pids.node], bridge: [pids.bridge], generator: [generator.pid] };
  let before = readCpu(groups);
  const figures = await generator.run(order, () => {
    before = readCpu(groups);
  });
  const after = readCpu(groups);
  const used = (group: keyof typeof groups) => (after.byGroup[group] ?? 0) - (before.byGroup[group] ?? 0);
  const foreignUs = after.busyUs - before.busyUs - used('node') - used('bridge') - used('generator');
  return {
    ...identity,
    ...figures,
    concurrency: order.concurrency,
    requestsPerSecond: figures.requests / figures.seconds,
    nodeUs: used('node') / figures.requests,
    bridgeUs: used('bridge') / figures.requests,
    foreignShare: Math.max(0, foreignUs) / (after.capacityUs - before.capacityUs),
  };
}

export interface TunnelRow extends Exchange {
  readonly concurrency: number;
  readonly byWay: Readonly<Record<Way, Medians>>;
  /** Medians of the ratios of neighbours in time, tunnelled to direct. */
  readonly throughputRatio: number;
  readonly cpuRatio: number;
}

interface Medians {
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly nodeUs: number;
  readonly bridgeUs: number;
  readonly errors: number;
  readonly foreignShare: number;
}

/** Medians over the repeats, a row for each exchange and concurrency. */
export function compareWays(cells: readonly TunnelCell[]): TunnelRow[] {
  const keyOf = ({ method, size, concurrency }: TunnelCell) => `${method} ${size} ${concurrency}`;
  return [...new Set(cells.map(keyOf))].map((key) => {
    const mine = cells.filter((cell) => keyOf(cell) === key);
    const [{ method, size, concurrency }] = mine as [TunnelCell];
    const of = (way: Way) => mine.filter((cell) => cell.way === way);
    const pairs = of('direct').map((direct, index) => ({
      direct,
      tunnelled: of('tunnelled')[index] ?? direct,
    }));
    return {
      method,
      size,
      concurrency,
      byWay: { direct: mediansOf(of('direct')), tunnelled: mediansOf(of('tunnelled')) },
      throughputRatio: median(
        pairs.map(({ direct, tunnelled }) => tunnelled.requestsPerSecond / direct.requestsPerSecond),
      ),
      cpuRatio: median(
        pairs.map(({ direct, tunnelled }) => (tunnelled.nodeUs + tunnelled.bridgeUs) / direct.nodeUs),
      ),
    };
  });
}

function mediansOf(cells: readonly TunnelCell[]): Medians {
  const of = (pick: (cell: TunnelCell) => number) => median(cells.map(pick));
  return {
    requestsPerSecond: of((cell) => cell.requestsPerSecond),
    p50Us: of((cell) => cell.p50Us),
    p99Us: of((cell) => cell.p99Us),
    nodeUs: of((cell) => cell.nodeUs),
    bridgeUs: of((cell) => cell.bridgeUs),
    errors: cells.reduce((sum, { errors }) => sum + errors, 0),
    foreignShare: of((cell) => cell.foreignShare),
  };
}
