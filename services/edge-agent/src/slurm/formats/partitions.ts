/** Partitions, as `scontrol show partition` prints them. Pure. */
import type { QueueLimits } from '@gantry/contracts';
import {
  asFields,
  type Fields,
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
  readonly limits: QueueLimits;
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
      limits: limitsOfText(pairs),
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
      limits: limitsOfJson(partition),
    };
  });
}

function limitsOfText(pairs: ReadonlyMap<string, string>): QueueLimits {
  const allowed = (name: string) => {
    const text = pairs.get(name) ?? 'ALL';
    return text === 'ALL' || text === '' ? null : [...wordsOf(text)];
  };
  return {
    min_nodes: limitOf(countOf(pairs.get('MinNodes'))),
    max_cpus_per_node: countOf(pairs.get('MaxCPUsPerNode')),
    max_mem_per_node_mb: countOf(pairs.get('MaxMemPerNode')),
    max_mem_per_cpu_mb: countOf(pairs.get('MaxMemPerCPU')),
    default_mem_per_node_mb: countOf(pairs.get('DefMemPerNode')),
    default_mem_per_cpu_mb: countOf(pairs.get('DefMemPerCPU')),
    allowed_accounts: allowed('AllowAccounts'),
    allowed_groups: allowed('AllowGroups'),
    allowed_qos: allowed('AllowQos'),
    denied_accounts: [...wordsOf(pairs.get('DenyAccounts'))],
    denied_qos: [...wordsOf(pairs.get('DenyQos'))],
  };
}

function limitsOfJson(partition: Fields): QueueLimits {
  const maximums = asFields(partition['maximums']);
  const defaults = asFields(partition['defaults']);
  const finite = (value: unknown) => {
    const number = numberOf(value);
    return number === undefined || !Number.isFinite(number) ? null : limitOf(number);
  };
  const words = (of: string, name: string) => [...wordsOf(asFields(partition[of])[name])];
  const allowed = (of: string) => {
    const names = words(of, 'allowed');
    return names.length === 0 ? null : names;
  };
  return {
    min_nodes: finite(asFields(partition['minimums'])['nodes']),
    max_cpus_per_node: finite(maximums['cpus_per_node']),
    max_mem_per_node_mb: finite(maximums['partition_memory_per_node']),
    max_mem_per_cpu_mb: finite(maximums['partition_memory_per_cpu']),
    default_mem_per_node_mb: finite(defaults['partition_memory_per_node']),
    default_mem_per_cpu_mb: finite(defaults['partition_memory_per_cpu']),
    allowed_accounts: allowed('accounts'),
    allowed_groups: allowed('groups'),
    allowed_qos: allowed('qos'),
    denied_accounts: words('accounts', 'deny'),
    denied_qos: words('qos', 'deny'),
  };
}

/** 0 is no limit. */
const limitOf = (count: number | null): number | null => (count === 0 ? null : count);

const countOf = (text: string | undefined): number | null =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
