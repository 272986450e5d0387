import type { Comparison, Medians, Verdict } from './compare.js';

/** Beyond it the machine was too busy with others for the figures to mean much. */
const foreignLimit = 0.25;

/** The figures as text for people. */
export function toText(comparisons: readonly Comparison[], verdicts: readonly Verdict[]): string {
  const rows = comparisons.map(({ workers, concurrency, bare, pipeline, throughputRatio, p50Ratio }) => [
    String(workers),
    String(concurrency),
    bare.requestsPerSecond.toFixed(0),
    pipeline.requestsPerSecond.toFixed(0),
    throughputRatio.toFixed(2),
    bare.p50Us.toFixed(0),
    pipeline.p50Us.toFixed(0),
    p50Ratio.toFixed(2),
    bare.p99Us.toFixed(0),
    pipeline.p99Us.toFixed(0),
    `${(100 * Math.max(bare.foreignShare, pipeline.foreignShare)).toFixed(0)} %`,
    String(bare.errors + pipeline.errors),
  ]);
  const head = [
    'workers',
    'callers',
    'bare/s',
    'pipe/s',
    'share',
    'bare p50',
    'pipe p50',
    'times',
    'bare p99',
    'pipe p99',
    'foreign',
    'errors',
  ];
  return [
    'Throughput in requests a second, latency in microseconds; medians of the repeats.',
    toTable([head, ...rows]),
    '',
    'CPU microseconds per request, all processes.',
    toTable([['workers', 'callers', 'subject', 'sum', 'of which'], ...comparisons.flatMap(toCpuRows)]),
    '',
    ...verdicts.map(toVerdictLine),
    ...warningsOf(comparisons),
  ].join('\n');
}

const toCpuRows = ({ workers, concurrency, bare, pipeline }: Comparison): string[][] =>
  (
    [
      ['bare', bare],
      ['pipeline', pipeline],
    ] as [string, Medians][]
  ).map(([subject, medians]) => [
    String(workers),
    String(concurrency),
    subject,
    medians.cpuUs.toFixed(0),
    Object.entries(medians.cpuUsByGroup)
      .map(([group, us]) => `${group} ${us.toFixed(0)}`)
      .join(', '),
  ]);

const toVerdictLine = ({ name, value, limit, isMet }: Verdict): string =>
  `${isMet ? 'met    ' : 'MISSED '} ${name}: ${value.toFixed(2)} (target ${limit})`;

function warningsOf(comparisons: readonly Comparison[]): string[] {
  const figures = comparisons.flatMap(({ bare, pipeline }) => [bare, pipeline]);
  return [
    ...(figures.some(({ errors }) => errors > 0) ? ['Some calls were not answered as they should be.'] : []),
    ...(figures.some(({ foreignShare }) => foreignShare > foreignLimit)
      ? [
          `Other processes took more than ${100 * foreignLimit} % of the machine at times: measure again when it is quiet.`,
        ]
      : []),
  ];
}

function toTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const last = widths.length - 1;
  return rows
    .map((row) =>
      row
        // The last column may be text; everything else is a figure.
        .map((cell, column) => (column === last ? cell : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
}
