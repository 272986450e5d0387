import type { Cell, Subject } from './cell.js';
import { median } from './measure/statistics.js';
import type { Verdict } from './table.js';

/** All subjects at one number of workers and callers; each figure the median of its repeats. */
export interface Comparison {
  readonly workers: number;
  readonly concurrency: number;
  readonly medians: Readonly<Record<Subject, Medians>>;
  /** Against `bare`, but for the last. */
  readonly confirmedRatios: Ratios;
  readonly floorRatios: Ratios;
  readonly pipelineRatios: Ratios;
  readonly pipelineToFloor: Ratios;
}

interface Medians {
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly cpuUs: number;
  readonly cpuUsByGroup: Readonly<Record<string, number>>;
  readonly foreignShare: number;
  /** The sum, not the median: one is too many. */
  readonly errors: number;
}

/** Medians of the ratios of neighbours in time, which share the weather of the machine. */
interface Ratios {
  readonly throughput: number;
  readonly p50: number;
}

/** What was measured next to each other, by workers and concurrency. */
export function compare(cells: readonly Cell[]): Comparison[] {
  const keys = [...new Set(cells.map(({ workers, concurrency }) => `${workers} ${concurrency}`))];
  return keys.map((key) => {
    const [workers = 0, concurrency = 0] = key.split(' ').map(Number);
    const of = (subject: Subject) =>
      cells
        .filter(
          (cell) => cell.subject === subject && cell.workers === workers && cell.concurrency === concurrency,
        )
        .toSorted((a, b) => a.repeat - b.repeat);
    const [bare, confirmed, floor, pipeline] = [of('bare'), of('confirmed'), of('floor'), of('pipeline')];
    return {
      workers,
      concurrency,
      medians: {
        bare: toMedians(bare),
        confirmed: toMedians(confirmed),
        floor: toMedians(floor),
        pipeline: toMedians(pipeline),
      },
      confirmedRatios: toRatios(confirmed, bare),
      floorRatios: toRatios(floor, bare),
      pipelineRatios: toRatios(pipeline, bare),
      pipelineToFloor: toRatios(pipeline, floor),
    };
  });
}

/** What the first release aims at. */
export function judge(comparisons: readonly Comparison[]): Verdict[] {
  const at = (workers: number, concurrency: number) =>
    comparisons.find((one) => one.workers === workers && one.concurrency === concurrency)?.pipelineRatios;
  const share = at(2, 32)?.throughput;
  const times = at(1, 1)?.p50;
  const shareName = 'share of bare throughput at 32 callers, 2 runtimes';
  const timesName = 'p50 as a multiple of bare at 1 caller';
  return [
    ...(share === undefined ? [] : [{ name: shareName, value: share, limit: 0.5, isMet: share >= 0.5 }]),
    ...(times === undefined ? [] : [{ name: timesName, value: times, limit: 2.2, isMet: times <= 2.2 }]),
  ];
}

function toRatios(cells: readonly Cell[], neighbours: readonly Cell[]): Ratios {
  const ratioOf = (figure: (cell: Cell) => number) =>
    median(
      cells.flatMap((cell, index) => {
        const neighbour = neighbours[index];
        return neighbour === undefined ? [] : [figure(cell) / figure(neighbour)];
      }),
    );
  return { throughput: ratioOf((cell) => cell.requestsPerSecond), p50: ratioOf((cell) => cell.p50Us) };
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
