/**
 * What the platform declares on its broker, as pure functions. Names carry a version: whoever changes an argument
 * of a queue gives it a new name, because an existing queue cannot change.
 *
 * I1  Nothing here depends on a request; one process declares a handful of names when it starts.
 * I2  Every queue has a bound in messages and bytes.
 * I3  Nothing is published to the default exchange.
 */
import type { ExecutionMode } from '@gantry/contracts';
import { asyncPrefix } from '@gantry/kernel';
import type { BindingSpec, ExchangeSpec, QueueSpec, Topology } from './ports.js';

const mebibyte = 1024 * 1024;

export const exchanges = {
  /** direct; key `<flavour>.sync` or `<flavour>.async` */
  requests: 'requests.v1',
  /** topic; key = execution id, whose first word is the frontend that waits, or `async` */
  results: 'results.v1',
  /** topic; keys in {@link controlKeys} */
  control: 'control.v1',
  /** topic; what was rejected, expired or delivered too often, under the key it came with */
  dead: 'dead.v1',
} as const;

export const queues = {
  execute: (flavour: string, mode: ExecutionMode): string => `execute.v1.${flavour}.${mode}`,
  /** Results of asynchronous executions, read by any frontend. */
  asyncResults: 'results.async',
  /** Runtimes that ask to start an asynchronous execution, answered by any frontend. */
  leases: 'leases.v1',
  dead: 'dead.v1',
  replies: (frontendId: string): string => `replies.v1.${frontendId}`,
  control: (runtimeId: string): string => `control.v1.${runtimeId}`,
  cancels: (frontendId: string): string => `cancels.v1.${frontendId}`,
  runtimes: (frontendId: string): string => `runtimes.v1.${frontendId}`,
} as const;

export const requestKey = (flavour: string, mode: ExecutionMode): string => `${flavour}.${mode}`;

export const controlKeys = {
  cancel: (flavour: string): string => `cancel.${flavour}`,
  drain: (runtimeId: string): string => `drain.${runtimeId}`,
  leaseRequest: 'lease.request',
  leaseReply: (runtimeId: string): string => `lease.reply.${runtimeId}`,
  status: (runtimeId: string): string => `status.of.${runtimeId}`,
  statusRequest: 'status.request',
} as const;

export interface QueueLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

export interface TopologyLimits {
  /** Each flavour's queue of synchronous calls; more would wait longer than callers do. */
  readonly sync: QueueLimits;
  readonly async: QueueLimits;
  readonly asyncResults: QueueLimits;
  readonly replies: QueueLimits;
}

export const defaultTopologyLimits: TopologyLimits = {
  sync: { maxMessages: 2000, maxBytes: 256 * mebibyte },
  async: { maxMessages: 100_000, maxBytes: 1024 * mebibyte },
  asyncResults: { maxMessages: 100_000, maxBytes: 1024 * mebibyte },
  replies: { maxMessages: 20_000, maxBytes: 512 * mebibyte },
};

/** Control messages are small, and worthless when they have to wait. */
const controlLimits: QueueLimits = { maxMessages: 10_000, maxBytes: 16 * mebibyte };
const deadLimits: QueueLimits = { maxMessages: 10_000, maxBytes: 128 * mebibyte };

/** Redeliveries of an asynchronous execution before it is a dead letter; leases stop it earlier, at their own count. */
const deliveryLimit = 20;

export interface TopologyOptions {
  readonly limits?: Partial<TopologyLimits>;
  /** The broker is a cluster: durable queues are replicated. */
  readonly replicated?: boolean;
}

const exchangeSpecs: readonly ExchangeSpec[] = [
  { name: exchanges.requests, type: 'direct' },
  { name: exchanges.results, type: 'topic' },
  { name: exchanges.control, type: 'topic' },
  { name: exchanges.dead, type: 'topic' },
];

/** The exchanges, and the queues that all frontends share. Every process declares this first. */
export function buildSharedTopology(options: TopologyOptions = {}): Topology {
  return {
    exchanges: exchangeSpecs,
    queues: [
      { name: queues.dead, ...durableQueue(options), ...deadLimits, overflow: 'drop-head' },
      {
        name: queues.asyncResults,
        ...durableQueue(options),
        ...limitsOf('asyncResults', options),
        deadLetterExchange: exchanges.dead,
      },
      // Classic on a cluster too: a lost lease request is asked again, and a majority write would cost each start.
      { name: queues.leases, durable: true, ...controlLimits },
    ],
    bindings: [
      bind(queues.dead, exchanges.dead, '#'),
      bind(queues.asyncResults, exchanges.results, `${asyncPrefix}.*`),
      bind(queues.leases, exchanges.control, controlKeys.leaseRequest),
    ],
  };
}

/** The two queues of one flavour. Declared by its frontends and its runtimes with the same options. */
export function buildFlavourTopology(flavour: string, options: TopologyOptions = {}): Topology {
  const sync: QueueSpec = {
    name: queues.execute(flavour, 'sync'),
    // The queue survives a restart of the broker, its messages (not persistent) do not: their callers have gone.
    durable: true,
    ...limitsOf('sync', options),
    deadLetterExchange: exchanges.dead,
  };
  const async: QueueSpec = {
    name: queues.execute(flavour, 'async'),
    ...durableQueue(options),
    ...limitsOf('async', options),
    ...(options.replicated === true ? { deliveryLimit } : {}),
    deadLetterExchange: exchanges.dead,
  };
  return {
    exchanges: exchangeSpecs,
    queues: [sync, async],
    bindings: [
      bind(sync.name, exchanges.requests, requestKey(flavour, 'sync')),
      bind(async.name, exchanges.requests, requestKey(flavour, 'async')),
    ],
  };
}

/** The reply queue of one frontend process, bound once for all its requests. */
export function buildReplyTopology(frontendId: string, options: TopologyOptions = {}): Topology {
  const name = queues.replies(frontendId);
  return {
    exchanges: exchangeSpecs,
    queues: [{ name, durable: false, exclusive: true, ...limitsOf('replies', options) }],
    bindings: [bind(name, exchanges.results, `${frontendId}.*`)],
  };
}

/** The queue by which one frontend process hears of cancellations that others accepted. */
export function buildCancelTopology(frontendId: string): Topology {
  const name = queues.cancels(frontendId);
  return {
    exchanges: exchangeSpecs,
    queues: [{ name, durable: false, exclusive: true, ...controlLimits }],
    bindings: [bind(name, exchanges.control, 'cancel.#')],
  };
}

/** The queue by which one frontend process hears of runtimes. What it has not read yet is soon said again. */
export function buildRuntimesTopology(frontendId: string): Topology {
  const name = queues.runtimes(frontendId);
  return {
    exchanges: exchangeSpecs,
    queues: [{ name, durable: false, exclusive: true, ...controlLimits, overflow: 'drop-head' }],
    bindings: [bind(name, exchanges.control, controlKeys.status('*'))],
  };
}

/** The control queue of one runtime: cancellations of its flavours, its drain order, answers to its lease requests. */
export function buildRuntimeTopology(runtimeId: string, flavours: readonly string[]): Topology {
  const name = queues.control(runtimeId);
  return {
    exchanges: exchangeSpecs,
    queues: [{ name, durable: false, exclusive: true, ...controlLimits }],
    bindings: [
      ...flavours.map((flavour) => bind(name, exchanges.control, controlKeys.cancel(flavour))),
      bind(name, exchanges.control, controlKeys.drain(runtimeId)),
      bind(name, exchanges.control, controlKeys.leaseReply(runtimeId)),
      bind(name, exchanges.control, controlKeys.statusRequest),
    ],
  };
}

const durableQueue = (options: TopologyOptions): Pick<QueueSpec, 'durable' | 'replicated'> =>
  options.replicated === true ? { durable: true, replicated: true } : { durable: true };

const limitsOf = (kind: keyof TopologyLimits, options: TopologyOptions): QueueLimits =>
  options.limits?.[kind] ?? defaultTopologyLimits[kind];

const bind = (queue: string, exchange: string, routingKey: string): BindingSpec => ({
  queue,
  exchange,
  routingKey,
});
