import { messageOf } from '@gantry/kernel';
import type { AgentPlugin } from '../../core/ports.js';
import { createSlurmCommands } from '../../slurm/slurm-commands.js';
import { systemEnvironment, systemUserName } from '../../slurm/system-environment.js';
import { Cached } from './cached.js';
import { type QueueInfoConfig, queueInfoConfigSchema } from './config.js';
import { buildQueueRoutes } from './queue-routes.js';
import { SlurmQueues } from './slurm-queues.js';

/** What the batch system of the node has and does. */
export const queueInfoPlugin: AgentPlugin<QueueInfoConfig> = {
  name: 'queue-info',
  aliases: ['queue_info'],
  version: '1.0.0',
  configSchema: queueInfoConfigSchema,
  ui: {
    icon: '📋',
    title: 'Queues',
    description: 'Partitions, nodes, jobs and allocations of the batch system.',
    refresh_button: true,
    monitors: [
      { id: 'queues', type: 'table', title: 'Queues', auto_load: 'get_info' },
      { id: 'jobs', type: 'table', title: 'Jobs', auto_load: 'list_all_jobs' },
      { id: 'allocations', type: 'table', title: 'Allocations', auto_load: 'list_allocations' },
    ],
  },
  isSupported: async ({ config }) =>
    commandsFor(config).has('squeue') ? true : 'no batch system here: there is no squeue',
  start: async ({ config, clock, logger, threads }) => {
    const commands = commandsFor(config);
    const slurm = new SlurmQueues({ commands, threads, clock, logger });
    const ttlMs = () => config.cacheSeconds * 1000;
    let problem: string | undefined;
    const cached = <T>(ask: () => Promise<T>): Cached<T> =>
      new Cached(clock, ttlMs, async () => {
        try {
          const answer = await ask();
          problem = undefined;
          return answer;
        } catch (error) {
          problem = messageOf(error).slice(0, 300);
          throw error;
        }
      });
    return {
      routes: buildQueueRoutes({
        commands,
        systemUser: systemUserName(),
        queues: cached(() => slurm.readQueues()),
        nodes: cached(() => slurm.readNodes()),
        queuedJobs: cached(() => slurm.readJobs()),
        allocations: cached(() => slurm.readAllocations()),
        clock,
      }),
      health: () => (problem === undefined ? { status: 'healthy' } : { status: 'degraded', detail: problem }),
      facts: () => ({ scheduler: 'slurm' }),
      stop: async () => undefined,
    };
  },
};

const commandsFor = ({ slurmBinFolder, slurmConf }: QueueInfoConfig) =>
  createSlurmCommands({ binFolder: slurmBinFolder, conf: slurmConf, environment: systemEnvironment() });
