/** Nodes, as sinfo and scontrol print them. Pure. */
import type { QueueNode } from '@gantry/contracts';
import { countGpus, linesOf, listOf, numberOf, parsePairs, textOf, wordsOf } from './values.js';

/** With one of these a node takes no new jobs. */
const unavailable = new Set([
  ...['DOWN', 'DRAIN', 'DRAINED', 'DRAINING', 'ERROR', 'FAIL', 'FAILING', 'FUTURE', 'INVAL', 'INVALID'],
  ...['INVALID_REG', 'MAINT', 'MAINTENANCE', 'NOT_RESPONDING', 'REBOOT', 'REBOOT_ISSUED', 'REBOOT_REQUESTED'],
  ...['POWERING_DOWN', 'UNKNOWN'],
]);

/**
 * `sinfo --json` of 22.05 and `scontrol --json show nodes` of 23.02 and later: the state is a word with flags beside it
 * there, a list here; features are a text, later a list.
 */
export function parseNodesJson(document: unknown): readonly QueueNode[] {
  return listOf(document, 'nodes').map((node) =>
    toNode({
      name: textOf(node['name']),
      state: [...wordsOf(node['state']), ...wordsOf(node['state_flags'])],
      queues: wordsOf(node['partitions']),
      cpus: numberOf(node['cpus']) ?? 0,
      cpusAllocated: numberOf(node['alloc_cpus']) ?? 0,
      memoryMb: numberOf(node['real_memory']) ?? 0,
      memoryAllocatedMb: numberOf(node['alloc_memory']) ?? 0,
      gres: textOf(node['gres']),
      features: wordsOf(node['active_features']),
      reason: textOf(node['reason']),
    }),
  );
}

/** `scontrol --oneliner show node`: every version. */
export function parseNodesText(text: string): readonly QueueNode[] {
  return linesOf(text).flatMap((line) => {
    const pairs = parsePairs(line);
    const name = pairs.get('NodeName');
    if (name === undefined) return [];
    return toNode({
      name,
      // `IDLE+DRAIN`, `DOWN*+CLOUD`: a star means that it does not answer.
      state: (pairs.get('State') ?? 'UNKNOWN').split('+').flatMap(withoutMarks),
      queues: wordsOf(pairs.get('Partitions')),
      cpus: Number(pairs.get('CPUTot') ?? 0),
      cpusAllocated: Number(pairs.get('CPUAlloc') ?? 0),
      memoryMb: Number(pairs.get('RealMemory') ?? 0),
      memoryAllocatedMb: Number(pairs.get('AllocMem') ?? 0),
      gres: pairs.get('Gres') ?? '',
      features: wordsOf(pairs.get('ActiveFeatures')),
      reason: pairs.get('Reason') ?? '',
    });
  });
}

interface NodeFacts {
  readonly name: string;
  readonly state: readonly string[];
  readonly queues: readonly string[];
  readonly cpus: number;
  readonly cpusAllocated: number;
  readonly memoryMb: number;
  readonly memoryAllocatedMb: number;
  readonly gres: string;
  readonly features: readonly string[];
  readonly reason: string;
}

function toNode(facts: NodeFacts): QueueNode {
  const state = [...new Set(facts.state.map((word) => word.toUpperCase()))];
  const isAvailable = !state.some((word) => unavailable.has(word));
  return {
    name: facts.name,
    state,
    is_available: isAvailable,
    is_idle: isAvailable && state[0] === 'IDLE',
    queues: [...facts.queues],
    cpus: facts.cpus,
    cpus_allocated: facts.cpusAllocated,
    memory_mb: facts.memoryMb,
    memory_allocated_mb: facts.memoryAllocatedMb,
    gpus: countGpus(facts.gres),
    features: [...facts.features],
    reason: facts.reason === '' ? null : facts.reason,
  };
}

/** Marks behind a state (sinfo(1), NODE STATE CODES). */
const withoutMarks = (word: string): readonly string[] => {
  const plain = word.replace(/[*~#!%$@^-]+$/, '');
  return word.includes('*') ? [plain, 'NOT_RESPONDING'] : [plain];
};
