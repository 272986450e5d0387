import { subjects } from './cell.js';
import type { Comparison } from './compare.js';
import { toTable, toVerdictLine, type Verdict } from './table.js';

/** Beyond it the machine was too busy with others for the figures to mean much. */
const foreignLimit = 0.25;

/** The figures as text for people. */
export function toText(comparisons: readonly Comparison[], verdicts: readonly Verdict[]): string {
  return [
    'Throughput in requests a second, latency in microseconds; medians of the repeats.',
    toTable([throughputHead, ...comparisons.map(toThroughputRow)]),
    '',
    'Share of throughput, and p50 as a multiple: medians of the ratios of neighbours in time.',
    toTable([ratioHead, ...comparisons.map(toRatioRow)]),
    '',
    'CPU microseconds per request, all processes.',
    toTable([['workers', 'callers', 'subject', 'sum', 'of which'], ...comparisons.flatMap(toCpuRows)]),
    '',
    ...verdicts.map(toVerdictLine),
    ...warningsOf(comparisons),
  ].join('\n');
}

const throughputHead = [
  'workers',
  'callers',
  ...subjects.map((subject) => `${subject}/s`),
  ...subjects.map((subject) => `${subject} p50`),
  ...subjects.map((subject) => `${subject} p99`),
  'foreign',
  'errors',
];

function toThroughputRow({ workers, concurrency, medians }: Comparison): string[] {
  const all = subjects.map((subject) => medians[subject]);
  return [
    String(workers),
    String(concurrency),
    ...all.map((one) => one.requestsPerSecond.toFixed(0)),
    ...all.map((one) => one.p50Us.toFixed(0)),
    ...all.map((one) => one.p99Us.toFixed(0)),
    `${(100 * Math.max(...all.map((one) => one.foreignShare))).toFixed(0)} %`,
    String(all.reduce((sum, one) => sum + one.errors, 0)),
  ];
}

const ratioHead = [
  'workers',
  'callers',
  'confirmed:bare',
  'p50',
  'floor:bare',
  'p50',
  'pipeline:bare',
  'p50',
  'pipeline:floor',
  'p50',
];

const toRatioRow = ({ workers, concurrency, ...ratios }: Comparison): string[] => [
  String(workers),
  String(concurrency),
  ...[ratios.confirmedRatios, ratios.floorRatios, ratios.pipelineRatios, ratios.pipelineToFloor].flatMap(
    ({ throughput, p50 }) => [throughput.toFixed(2), p50.toFixed(2)],
  ),
];

const toCpuRows = ({ workers, concurrency, medians }: Comparison): string[][] =>
  subjects.map((subject) => [
    String(workers),
    String(concurrency),
    subject,
    medians[subject].cpuUs.toFixed(0),
    Object.entries(medians[subject].cpuUsByGroup)
      .map(([group, us]) => `${group} ${us.toFixed(0)}`)
      .join(', '),
  ]);

function warningsOf(comparisons: readonly Comparison[]): string[] {
  const figures = comparisons.flatMap(({ medians }) => Object.values(medians));
  return [
    ...(figures.some(({ errors }) => errors > 0) ? ['Some calls were not answered as they should be.'] : []),
    ...(figures.some(({ foreignShare }) => foreignShare > foreignLimit)
      ? [
          `Other processes took more than ${100 * foreignLimit} % of the machine at times: measure again when it is quiet.`,
        ]
      : []),
  ];
}
