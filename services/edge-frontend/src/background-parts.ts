import { type Consumer, subscribeCancels, subscribeReplies, subscribeRuntimes } from '@gantry/broker';
import { messageOf, type Part } from '@gantry/kernel';
import type { Core, Made } from './compose-core.js';
import type { EdgeFrontendOptions } from './edge-options.js';
import { topologyOptionsOf } from './edge-topology.js';
import { DeadLetterReader } from './usecases/bury-dead-letters.js';
import { ResultCollector } from './usecases/collect-results.js';
import { leaseExecutions } from './usecases/lease-executions.js';
import { Reaper } from './usecases/reap-executions.js';

const dayMs = 86_400_000;

/** What works beside the requests, in the order to start. */
export function buildBackgroundParts(
  { broker, config, logger, store }: EdgeFrontendOptions,
  core: Core,
  made: Made,
): Part[] {
  const { clock, edgeMetrics, frontendId } = made;
  const { edge } = config;
  const { signals, waiting } = core.deps;
  const { executions } = store;
  const base = { broker, executions, signals, clock, logger };
  return [
    new Reaper({
      ...{ broker, store, clock, logger, maxAttempts: edge.maxAttempts, runGraceMs: edge.runGraceMs },
      retentionMs: edge.retentionDays * dayMs,
      // Longer than anything may wait in a queue and run.
      payloadMs: 2 * dayMs + 2 * (edge.asyncQueueSeconds + edge.maxRunSeconds) * 1000,
      onRepublished: edgeMetrics.countRepublished,
    }),
    consumerPart('reply queue', base, () =>
      subscribeReplies({
        ...{ broker, frontendId, logger, topology: topologyOptionsOf(config) },
        onMessage: (message) => {
          if (!waiting.receive(message)) edgeMetrics.countUnclaimed();
        },
      }),
    ),
    consumerPart('cancellations', base, () =>
      subscribeCancels({
        ...{ broker, frontendId, logger },
        onCancel: (executionId) => {
          const call = waiting.find(executionId);
          if (call !== undefined) waiting.settle(call, { kind: 'cancelled' });
        },
      }),
    ),
    core.directory,
    consumerPart('runtimes', base, () =>
      subscribeRuntimes({
        ...{ broker, frontendId, logger },
        onStatus: (status) => core.directory.receive(status),
      }),
    ),
    core.ages,
    leaseExecutions({ ...base, maxAttempts: edge.maxAttempts, onLease: edgeMetrics.countLease }),
    new ResultCollector({
      ...base,
      onEnd: (_executionId, status, isFirst) => edgeMetrics.countAsyncEnd(status, isFirst),
      onUnreadable: () => edgeMetrics.countUnreadable('results'),
    }),
    new DeadLetterReader({ ...base, onDeadLetter: edgeMetrics.countDeadLetter }),
  ];
}

/**
 * A consumer of this process's own queue. While the broker is away its start is not waited for: the frontend then
 * says by itself that it is not ready, and the consumer is there after the first connection.
 */
function consumerPart(
  name: string,
  { broker, logger }: Pick<EdgeFrontendOptions, 'broker' | 'logger'>,
  consume: () => Promise<Consumer>,
): Part {
  let consuming: Promise<Consumer | undefined> | undefined;
  let isStopped = false;
  return {
    name,
    start: async () => {
      const started = consume();
      consuming = started.catch((error: unknown) => {
        if (!isStopped) logger.error(`${name} cannot be read`, { reason: messageOf(error) });
        return undefined;
      });
      if (broker.status === 'connected') await started;
    },
    stop: async () => {
      isStopped = true;
      if (broker.status === 'connected') await (await consuming)?.cancel();
    },
  };
}
