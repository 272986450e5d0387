import {
  allocationListSchema,
  queuedJobListSchema,
  queueListSchema,
  queueNodeListSchema,
} from '@gantry/contracts';
import type { Command } from 'commander';
import { printResult, toTable } from '../terminal.js';
import { onAction } from './action.js';
import { chooseNode } from './choose-node.js';

interface QueueOptions {
  readonly node?: string;
  readonly queue?: string;
  readonly forUser?: string;
  readonly force?: boolean;
}

/** `gantry queues`, `gantry queues nodes|jobs|allocations` */
export function addQueues(program: Command): void {
  const queues = program
    .command('queues')
    .description('The batch system of a node: its queues, nodes and jobs');
  addView(queues.command('ls', { isDefault: true }).description('List the queues'), 'queues', (answer) => {
    const rows = Object.values(queueListSchema.parse(answer).queues).map((queue) => [
      queue.default ? `${queue.name}*` : queue.name,
      queue.state,
      toLimit(queue.time_limit),
      `${queue.nodes_idle}/${queue.nodes_available}/${queue.nodes_total}`,
      `${queue.cpus_idle}/${queue.cpus_total}`,
      queue.gpus_per_node,
      queue.features.join(','),
    ]);
    const headings = [
      'QUEUE',
      'STATE',
      'TIME LIMIT',
      'NODES IDLE/UP/ALL',
      'CPUS IDLE/ALL',
      'GPUS',
      'FEATURES',
    ];
    return toTable(headings, rows, 'The batch system has no queues.');
  });
  addView(queues.command('nodes').description('List the nodes of the batch system'), 'nodes', (answer) => {
    const rows = queueNodeListSchema
      .parse(answer)
      .nodes.map((node) => [
        node.name,
        node.state.join('+'),
        `${node.cpus_allocated}/${node.cpus}`,
        `${node.memory_allocated_mb}/${node.memory_mb}`,
        node.gpus,
        node.queues.join(','),
        node.reason,
      ]);
    return toTable(['NODE', 'STATE', 'CPUS', 'MEMORY MB', 'GPUS', 'QUEUES', 'REASON'], rows, 'No nodes.');
  });
  addView(queues.command('jobs').description('List what waits and runs'), 'jobs', (answer) => {
    const rows = queuedJobListSchema
      .parse(answer)
      .jobs.map((job) => [
        job.job_id,
        job.job_name,
        job.user,
        job.partition,
        job.state,
        job.reason,
        job.nodes,
        job.cpus,
        `${job.time_used} s`,
        toLimit(job.time_limit),
      ]);
    const headings = ['JOB', 'NAME', 'USER', 'QUEUE', 'STATE', 'WHY', 'NODES', 'CPUS', 'USED', 'TIME LIMIT'];
    return toTable(headings, rows, 'No jobs wait or run. --for-user "*" shows everybody\'s.');
  });
  addView(
    queues.command('allocations').description('List what accounts may use, and have used'),
    'allocations',
    (answer) => {
      const rows = allocationListSchema
        .parse(answer)
        .allocations.map((one) => [
          one.account,
          one.user,
          one.qos.join(','),
          one.allocated_node_hours,
          one.used_node_hours,
          one.remaining_node_hours,
        ]);
      return toTable(
        ['ACCOUNT', 'USER', 'QOS', 'NODE HOURS', 'USED', 'LEFT'],
        rows,
        'No accounts are kept there.',
      );
    },
  );
}

function addView(command: Command, path: string, toText: (answer: unknown) => string): void {
  command
    .option('--node <name>', 'the node (default: the only connected one with a batch system)')
    .option('--queue <name>', 'only this queue')
    .option(
      '--for-user <name>',
      'whose jobs and allocations, in the words of the batch system; "*": everybody\'s',
    )
    .option('--force', 'ask anew; answers are up to a minute old otherwise');
  onAction<QueueOptions>(command, async ({ bridge, output }, _words, { node, queue, forUser, force }) => {
    const plugin = bridge.node(await chooseNode(bridge, node, 'queue-info')).plugin('queue-info');
    const query = { queue, user: forUser, ...(force === true ? { force } : {}) };
    const answer = await plugin.get(path, { query });
    printResult(output, answer, toText(answer));
  });
}

/** Minutes, as the batch system counts them. */
const toLimit = (minutes: number | 'UNLIMITED' | null): string | null =>
  minutes === null || minutes === 'UNLIMITED' ? minutes : `${minutes} min`;
