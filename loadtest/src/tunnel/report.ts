import { toTable, toVerdictLine, type Verdict } from '../table.js';
import type { IdleMemory } from './idle-memory.js';
import type { TunnelRow } from './measure.js';
import { sizes } from './origin.js';

const allowedBytesPerNode = 150 * 1024;
const foreignLimit = 0.25;

/** What an idle node may cost the bridge. */
export const judgeMemory = ({ nodes, bytesPerNode }: IdleMemory): Verdict => ({
  name: `KiB of the bridge per idle node, ${nodes} connected`,
  value: bytesPerNode / 1024,
  limit: allowedBytesPerNode / 1024,
  isMet: bytesPerNode <= allowedBytesPerNode,
});

/** The figures as text for people. */
export function toText(rows: readonly TunnelRow[], memory: IdleMemory): string {
  const isBusy = rows.some(({ byWay }) =>
    Object.values(byWay).some(({ foreignShare }) => foreignShare > foreignLimit),
  );
  return [
    `Requests a second, latency and CPU in microseconds per request (the generator's not counted); medians of the repeats.`,
    `small is ${sizes.small} bytes, large is ${sizes.large}. Ratios are tunnelled to direct, of neighbours in time.`,
    toTable([head, ...rows.map(toRow)]),
    '',
    toVerdictLine(judgeMemory(memory)),
    `After a collection of garbage: ${(memory.bytesPerNodeCollected / 1024).toFixed(1)} KiB.`,
    ...(isBusy ? ['Other processes took a good part of the machine: measure again when it is quiet.'] : []),
  ].join('\n');
}

const head = [
  'callers',
  'direct/s',
  'tunnel/s',
  'ratio',
  'direct p50',
  'tunnel p50',
  'tunnel p99',
  'direct CPU',
  'node CPU',
  'bridge CPU',
  'CPU ratio',
  'foreign',
  'errors',
  'exchange',
];

function toRow({ method, size, concurrency, byWay, throughputRatio, cpuRatio }: TunnelRow): string[] {
  const { direct, tunnelled } = byWay;
  return [
    String(concurrency),
    direct.requestsPerSecond.toFixed(0),
    tunnelled.requestsPerSecond.toFixed(0),
    throughputRatio.toFixed(2),
    direct.p50Us.toFixed(0),
    tunnelled.p50Us.toFixed(0),
    tunnelled.p99Us.toFixed(0),
    direct.nodeUs.toFixed(0),
    tunnelled.nodeUs.toFixed(0),
    tunnelled.bridgeUs.toFixed(0),
    cpuRatio.toFixed(2),
    `${(100 * Math.max(direct.foreignShare, tunnelled.foreignShare)).toFixed(0)} %`,
    String(direct.errors + tunnelled.errors),
    `${method} ${size}`,
  ];
}
