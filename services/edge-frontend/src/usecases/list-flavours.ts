import type { FlavourDefinition, FlavourView } from '@gantry/contracts';
import type { FlavourWatch } from './flavour-watch.js';
import type { QueueAges } from './queue-ages.js';
import type { RuntimeDirectory } from './runtime-directory.js';
import type { WaitingCalls } from './waiting-calls.js';

export interface FlavourSources {
  /** Of the flavours that are served, in the order of the configuration. */
  readonly definitions: readonly FlavourDefinition[];
  readonly watch: Pick<FlavourWatch, 'stateOf'>;
  readonly directory: Pick<RuntimeDirectory, 'stateOf'>;
  readonly waiting: Pick<WaitingCalls, 'oldestQueuedMs'>;
  readonly ages: Pick<QueueAges, 'ageSeconds'>;
}

/** What the cluster offers and how it is doing; from what is known, nothing is asked. */
export const listFlavours = (sources: FlavourSources): FlavourView[] =>
  sources.definitions.map((definition) => toView(definition, sources));

function toView(definition: FlavourDefinition, sources: FlavourSources): FlavourView {
  const { name, limits } = definition;
  const queues = sources.watch.stateOf(name);
  const live = sources.directory.stateOf(name);
  return {
    name,
    description: definition.description,
    languages: live.languages.map(({ reason, ...rest }) => ({ ...rest, reason: reason ?? null })),
    packages: definition.packages.map(({ debian, ...rest }) => ({ ...rest, debian: debian ?? null })),
    limits: {
      execution_seconds: limits.executionSeconds,
      memory_mib: limits.memoryMiB,
      scratch_mib: limits.scratchMiB,
      result_bytes: limits.resultBytes,
      log_bytes: limits.logBytes,
    },
    isolation: { declared: definition.isolation, live: [...live.isolation] },
    network: { allow: [...definition.network.allow] },
    slots: definition.slots,
    priority: definition.priority,
    // Slots by the consumers of the queue: they count at once, and runtimes that have not spoken yet too.
    live: { runtimes: live.runtimes, slots: queues?.sync.consumers ?? 0, running: live.running },
    queue: {
      sync: queues?.sync.messages ?? 0,
      async: queues?.async.messages ?? 0,
      oldest_sync_seconds: sources.waiting.oldestQueuedMs(name) / 1000,
      oldest_async_seconds: sources.ages.ageSeconds(name),
    },
  };
}
