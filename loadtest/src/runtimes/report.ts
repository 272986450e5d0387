import { median, quantile } from '../measure/statistics.js';
import { toTable, toVerdictLine, type Verdict } from '../table.js';
import type { Samples } from './measure.js';
import { ownFirstCall } from './own-part.js';
import type { MeasuredLevel } from './platform.js';

export interface MemoryReading {
  readonly language: string;
  readonly level: MeasuredLevel;
  readonly state: string;
  readonly processes: readonly { readonly command: string; readonly bytes: number }[];
}

const mebibytes = (bytes: number) => (bytes / 1024 ** 2).toFixed(1);
const sumOf = ({ processes }: MemoryReading) => processes.reduce((sum, { bytes }) => sum + bytes, 0);

/** The figures as text for people. */
export function toText(
  samples: readonly Samples[],
  memory: readonly MemoryReading[],
  verdicts: readonly Verdict[],
): string {
  const rows = samples.map(({ language, level, figure, ms }) => {
    const sorted = ms.toSorted((a, b) => a - b);
    return [
      language,
      level,
      String(ms.length),
      median(ms).toFixed(2),
      quantile(sorted, 0.9).toFixed(2),
      figure,
    ];
  });
  const memoryRows = memory.map((reading) => [
    reading.language,
    reading.level,
    mebibytes(sumOf(reading)),
    `${reading.state}: ${reading.processes.map(({ command, bytes }) => `${command} ${mebibytes(bytes)}`).join(', ')}`,
  ]);
  return [
    "Milliseconds as the caller sees them, over HTTP and the broker, but for the runtime's own part.",
    toTable([['language', 'level', 'count', 'median', 'p90', 'of'], ...rows]),
    '',
    'Memory of a runtime process with all its processes, MiB (proportional set size).',
    toTable([['language', 'level', 'MiB', 'of which'], ...memoryRows]),
    '',
    ...verdicts.map(toVerdictLine),
  ].join('\n');
}

/** What the first release aims at, on two cores. */
export function judge(samples: readonly Samples[], memory: readonly MemoryReading[]): Verdict[] {
  const medianOf = (language: string, level: MeasuredLevel, figure: string) =>
    median(
      samples.find((one) => one.language === language && one.level === level && one.figure === figure)?.ms ??
        [],
    );
  const warm = (language: string, level: MeasuredLevel) => medianOf(language, level, 'warm call');
  const atMost = (name: string, value: number, limit: number): Verdict => ({
    name,
    value,
    limit,
    isMet: value <= limit,
  });
  const jsRuntimes = memory.filter(({ language, level }) => language === 'JS' && level === 'sandbox');
  return [
    atMost(
      'start of a JS runtime in the sandbox, ms',
      medianOf('JS', 'sandbox', 'start of a runtime process'),
      500,
    ),
    atMost(
      'first call of a new JS function in a warm runtime (its own part), ms',
      medianOf('JS', 'sandbox', ownFirstCall),
      5,
    ),
    ...(['JS', 'PY', 'C'] as const).map((language) =>
      atMost(
        `warm ${language} calls in the sandbox as a multiple of without`,
        warm(language, 'sandbox') / warm(language, 'process'),
        1.1,
      ),
    ),
    atMost('warm Python call beyond a JS one, ms', warm('PY', 'sandbox') - warm('JS', 'sandbox'), 1),
    ...jsRuntimes.map((reading) =>
      atMost(`memory of a JS runtime, ${reading.state}, MiB`, sumOf(reading) / 1024 ** 2, 60),
    ),
  ];
}
