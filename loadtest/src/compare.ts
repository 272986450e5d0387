import type { Cell } from './cell.js';
import { median } from './measure/statistics.js';

/** Both subjects at one number of workers and callers; each figure the median of its repeats. */
export interface Comparison {
  readonly workers: number;
  readonly concurrency: number;
  readonly bare: Medians;
  readonly pipeline: Medians;
  /** Medians of the ratios of neighbours in time, which share the weather of the machine. */
  readonly throughputRatio: number;
  readonly p50Ratio: number;
}

export interface Medians {
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly cpuUs: number;
  readonly cpuUsByGroup: Readonly<Record<string, number>>;
  readonly foreignShare: number;
  /** The sum, not the median: one is too many. */
  readonly errors: number;
}

export interface Verdict {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  readonly isMet: boolean;
}

/** Pairs of what was measured next to each other, by workers and concurrency. */
export function compare(cells: readonly Cell[]): Comparison[] {
  const keys = [...new Set(cells.map(({ workers, concurrency }) => `${workers} ${concurrency}`))];
  return keys.map((key) => {
    const [workers = 0, concurrency = 0] = key.split(' ').map(Number);
    const of = (subject: Cell['subject']) =>
      cells
        .filter(
          (cell) => cell.subject === subject && cell.workers === workers && cell.concurrency === concurrency,
        )
        .toSorted((a, b) => a.repeat - b.repeat);
    const [bare, pipeline] = [of('bare'), of('pipeline')];
    const ratios = (figure: (cell: Cell) => number) =>
      pipeline.flatMap((cell, index) => {
        const neighbour = bare[index];
        return neighbour === undefined ? [] : [figure(cell) / figure(neighbour)];
      });
    return {
      workers,
      concurrency,
      bare: toMedians(bare),
      pipeline: toMedians(pipeline),
      throughputRatio: median(ratios((cell) => cell.requestsPerSecond)),
      p50Ratio: median(ratios((cell) => cell.p50Us)),
    };
  });
}

/** What the first release promises. */
export function judge(comparisons: readonly Comparison[]): Verdict[] {
  const at = (workers: number, concurrency: number) =>
    comparisons.find((one) => one.workers === workers && one.concurrency === concurrency);
  const throughput = at(2, 32)?.throughputRatio;
  const latency = at(1, 1)?.p50Ratio;
  return [
    ...(throughput === undefined
      ? []
      : [
          {
            name: 'share of bare throughput at 32 callers, 2 runtimes',
            value: throughput,
            limit: 0.5,
            isMet: throughput >= 0.5,
          },
        ]),
    ...(latency === undefined
      ? []
      : [
          {
            name: 'p50 as a multiple of bare at 1 caller',
            value: latency,
            limit: 2.2,
            isMet: latency <= 2.2,
          },
        ]),
  ];
}

function toMedians(cells: readonly Cell[]): Medians {
  const of = (figure: (cell: Cell) => number) => median(cells.map(figure));
  const groups = Object.keys(cells[0]?.cpuUsByGroup ?? {});
  return {
    requestsPerSecond: of((cell) => cell.requestsPerSecond),
    p50Us: of((cell) => cell.p50Us),
    p99Us: of((cell) => cell.p99Us),
    cpuUs: of((cell) => cell.cpuUs),
    cpuUsByGroup: Object.fromEntries(
      groups.map((group) => [group, of((cell) => cell.cpuUsByGroup[group] ?? 0)]),
    ),
    foreignShare: of((cell) => cell.foreignShare),
    errors: cells.reduce((sum, cell) => sum + cell.errors, 0),
  };
}
