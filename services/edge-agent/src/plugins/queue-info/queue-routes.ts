import { readEnvironment } from '@gantry/config';
import type { Allocation, Queue, QueuedJob, QueueNode } from '@gantry/contracts';
import { AppError, type Clock } from '@gantry/kernel';
import { z } from 'zod';
import type { PluginCall, PluginReply, PluginRoute } from '../../core/ports.js';
import { parseWith } from '../../core/read-body.js';
import type { Cached } from './cached.js';
import { type CancelDeps, cancelQueuedJob } from './cancel-job.js';
import { readJobAllocation } from './job-allocation.js';

export interface QueueRouteDeps extends CancelDeps {
  readonly queues: Cached<Readonly<Record<string, Queue>>>;
  readonly nodes: Cached<readonly QueueNode[]>;
  readonly queuedJobs: Cached<readonly QueuedJob[]>;
  readonly allocations: Cached<readonly Allocation[]>;
  readonly clock: Clock;
}

/** What one answer holds at most. */
const maxListed = 10_000;
const timeoutMs = 90_000;

const flagSchema = z
  .enum(['', '0', '1', 'false', 'true', 'False', 'True'])
  .transform((text) => ['1', 'true', 'True'].includes(text));
const querySchema = z.strictObject({
  /** Whose jobs: of the user of the agent unless given (empty: neither), `*`: everybody's. */
  user: z.string().max(256).optional(),
  queue: z.string().max(256).optional(),
  /** Ask anew, however fresh the last answer is. */
  force: flagSchema.default(false),
});
type Query = z.infer<typeof querySchema>;

export function buildQueueRoutes(deps: QueueRouteDeps): readonly PluginRoute[] {
  const get = (path: string, handler: (call: PluginCall, query: Query) => Promise<unknown>): PluginRoute => ({
    method: 'GET',
    path,
    permission: 'queue-info:read',
    timeoutMs,
    handler: async (call) => {
      const query = parseWith(querySchema, Object.fromEntries(call.query), '/query');
      return { json: await handler(call, query) };
    },
  });
  const cancel = (path: string): PluginRoute => ({
    method: 'POST',
    path,
    permission: 'queue-info:cancel',
    timeoutMs,
    handler: (call): Promise<PluginReply> => cancelQueuedJob(call, call.params['job_id'] ?? '', deps),
  });
  const queues = async (_call: PluginCall, query: Query) => ({ queues: await deps.queues.get(query) });
  const jobs = (queue: string | undefined, query: Query) =>
    listJobs(deps, { ...query, queue: queue ?? query.queue });
  const allocations = async (_call: PluginCall, query: Query) => {
    const all = await deps.allocations.get(query);
    const { user } = query;
    const wanted = user || deps.systemUser;
    return { allocations: all.filter((allocation) => wanted === '*' || allocation.user === wanted) };
  };
  return [
    get('/backend', async () => ({ backend: 'slurm' })),
    get('/job_allocation', async () => readJobAllocation(readEnvironment, deps.clock.now())),
    get('/queues', queues),
    get('/queues/:queue', async (call, query) => {
      const name = call.params['queue'] ?? '';
      const found = (await deps.queues.get(query))[name];
      if (found === undefined)
        throw new AppError('queue-not-found', `There is no queue ${name.slice(0, 64)} here`);
      return found;
    }),
    get('/nodes', async (_call, query) => ({
      nodes: (await deps.nodes.get(query)).filter(
        ({ queues: of }) => query.queue === undefined || of.includes(query.queue),
      ),
    })),
    get('/jobs', (_call, query) => jobs(undefined, query)),
    get('/allocations', allocations),
    cancel('/jobs/:job_id/cancel'),
    // The words of older clients.
    get('/get_info/:sid', queues),
    get('/list_jobs/:sid/:queue', (call, query) => jobs(call.params['queue'], query)),
    get('/list_all_jobs/:sid', (_call, query) => jobs(undefined, query)),
    get('/list_allocations/:sid', allocations),
    cancel('/cancel/:sid/:job_id'),
  ];
}

async function listJobs({ queuedJobs, systemUser }: QueueRouteDeps, { user, queue, force }: Query) {
  const wanted = user || systemUser;
  const found = (await queuedJobs.get({ force })).filter(
    (job) =>
      (wanted === '*' || job.user === wanted) &&
      (queue === undefined || job.partition.split(',').includes(queue)),
  );
  return { jobs: found.slice(0, maxListed), is_complete: found.length <= maxListed };
}
