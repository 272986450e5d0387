/** Partitions, as `scontrol show partition` prints them. Pure. */
import {
  asFields,
  linesOf,
  listOf,
  minutesOf,
  numberOf,
  parseMinutes,
  parsePairs,
  textOf,
  wordsOf,
} from './values.js';

export interface Partition {
  readonly name: string;
  readonly state: string;
  /** null: the format does not tell. */
  readonly isDefault: boolean | null;
  /** Minutes. */
  readonly maxTime: number | 'UNLIMITED' | null;
  readonly defaultTime: number | 'UNLIMITED' | null;
  readonly maxNodes: number | null;
  readonly totalNodes: number;
  readonly totalCpus: number;
  readonly qos: string | null;
}

/** `scontrol --oneliner show partition`: every version. */
export function parsePartitionsText(text: string): readonly Partition[] {
  return linesOf(text).flatMap((line) => {
    const pairs = parsePairs(line);
    const name = pairs.get('PartitionName');
    if (name === undefined) return [];
    const qos = pairs.get('QoS') ?? 'N/A';
    return {
      name,
      state: pairs.get('State') ?? 'UNKNOWN',
      isDefault: pairs.get('Default') === 'YES',
      maxTime: parseMinutes(pairs.get('MaxTime') ?? ''),
      defaultTime: parseMinutes(pairs.get('DefaultTime') ?? ''),
      maxNodes: countOf(pairs.get('MaxNodes')),
      totalNodes: countOf(pairs.get('TotalNodes')) ?? 0,
      totalCpus: countOf(pairs.get('TotalCPUs')) ?? 0,
      qos: qos === 'N/A' ? null : qos,
    };
  });
}

/** `scontrol --json show partitions`: from 23.02 on, which leaves out which one is the default. */
export function parsePartitionsJson(document: unknown): readonly Partition[] {
  return listOf(document, 'partitions').map((partition) => {
    const maximums = asFields(partition['maximums']);
    const nodes = numberOf(maximums['nodes']);
    const qos = textOf(asFields(partition['qos'])['assigned']);
    return {
      name: textOf(partition['name']),
      state: wordsOf(asFields(partition['partition'])['state'])[0] ?? 'UNKNOWN',
      isDefault: null,
      maxTime: minutesOf(maximums['time']),
      defaultTime: minutesOf(asFields(partition['defaults'])['time']),
      maxNodes: nodes === undefined || !Number.isFinite(nodes) ? null : nodes,
      totalNodes: numberOf(asFields(partition['nodes'])['total']) ?? 0,
      totalCpus: numberOf(asFields(partition['cpus'])['total']) ?? 0,
      qos: qos === '' ? null : qos,
    };
  });
}

const countOf = (text: string | undefined): number | null =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
