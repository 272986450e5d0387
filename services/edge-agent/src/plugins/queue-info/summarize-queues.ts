import type { Queue, QueueNode } from '@gantry/contracts';
import type { Partition } from '../../slurm/formats/partitions.js';

/** What can be said of each partition from its settings and its nodes. Pure. */
export function summarizeQueues(
  partitions: readonly Partition[],
  nodes: readonly QueueNode[],
  jobLimits: ReadonlyMap<string, number>,
): Readonly<Record<string, Queue>> {
  return Object.fromEntries(
    partitions.map((partition) => {
      const own = nodes.filter(({ queues }) => queues.includes(partition.name));
      const usable = own.filter(({ is_available }) => is_available);
      const largest = (of: (node: QueueNode) => number) =>
        own.reduce((most, node) => Math.max(most, of(node)), 0);
      const sum = (of: (node: QueueNode) => number) => usable.reduce((total, node) => total + of(node), 0);
      const queue: Queue = {
        name: partition.name,
        state: partition.state,
        time_limit: partition.maxTime,
        default_time: partition.defaultTime,
        default: partition.isDefault ?? false,
        max_nodes: partition.maxNodes,
        nodes_total: partition.totalNodes || own.length,
        nodes_available: usable.length,
        nodes_idle: own.filter(({ is_idle }) => is_idle).length,
        cpus_total: partition.totalCpus,
        cpus_idle: sum((node) => Math.max(0, node.cpus - node.cpus_allocated)),
        cpus_per_node: largest(({ cpus }) => cpus),
        mem_per_node_mb: largest(({ memory_mb }) => memory_mb),
        gpus_per_node: largest(({ gpus }) => gpus),
        max_jobs_per_user: (partition.qos === null ? undefined : jobLimits.get(partition.qos)) ?? null,
        limits: partition.limits,
        features: [...new Set(own.flatMap(({ features }) => features))].sort((a, b) => a.localeCompare(b)),
      };
      return [partition.name, queue];
    }),
  );
}
