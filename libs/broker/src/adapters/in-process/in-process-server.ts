/**
 * A message broker inside the process: exchanges, bindings and queues as RabbitMQ has them, reached through
 * connections ({@link InProcessServer.connect}). Everything is lost with the process.
 *
 * I1  What belongs to a connection (exclusive queues, consumers, unacknowledged deliveries) ends with it; the
 *     unacknowledged deliveries go back to where they stood.
 * I2  A name keeps its arguments: declaring it again with others fails and changes nothing.
 */
import { AppError, DeadlineWheel, type Logger, silentLogger } from '@gantry/kernel';
import type { BindingSpec, ExchangeSpec, OutgoingMessage, PublishOutcome, QueueSpec } from '../../ports.js';
import { TopologyMismatchError } from '../../topology-mismatch-error.js';
import { InProcessBroker, type ServerSide } from './in-process-broker.js';
import { type DeathReason, InProcessQueue, type QueueHost } from './in-process-queue.js';
import { Exchange } from './routing.js';

/** How a spec reads when nothing is said, so that "absent" and "default" are the same. */
const queueDefaults = {
  durable: false,
  exclusive: false,
  replicated: false,
  maxMessages: 'none',
  maxBytes: 'none',
  overflow: 'reject-publish',
  deadLetterExchange: 'none',
  deadLetterRoutingKey: 'none',
  deliveryLimit: 'none',
} as const;

export class InProcessServer implements ServerSide {
  readonly #exchanges = new Map<string, Exchange>();
  readonly #queues = new Map<string, { queue: InProcessQueue; owner: object }>();
  readonly #awaitingQueue = new Map<string, Set<() => void>>();
  readonly #host: QueueHost;

  constructor(options: { logger?: Logger } = {}) {
    this.#host = {
      wheel: new DeadlineWheel(10),
      logger: options.logger ?? silentLogger,
      deadLetter: (queue, message, reason) => this.#deadLetter(queue, message, reason),
    };
  }

  /** A connection of its own: closing it returns what it had not acknowledged and removes its exclusive queues. */
  connect(): InProcessBroker {
    return new InProcessBroker(this);
  }

  /** @throws {TopologyMismatchError} when it exists with another type */
  declareExchange(spec: ExchangeSpec): void {
    const existing = this.#exchanges.get(spec.name);
    if (existing === undefined) {
      this.#exchanges.set(spec.name, new Exchange(spec));
    } else if (existing.spec.type !== spec.type) {
      throw new TopologyMismatchError({
        subject: 'exchange',
        name: spec.name,
        argument: 'type',
        declared: spec.type,
        existing: existing.spec.type,
      });
    }
  }

  /** @throws {TopologyMismatchError} when it exists with other arguments */
  declareQueue(spec: QueueSpec, owner: object): void {
    const existing = this.#queues.get(spec.name);
    if (existing !== undefined) {
      this.#assertMayUse(existing, owner);
      assertSameQueue(existing.queue.spec, spec);
      return;
    }
    this.#queues.set(spec.name, { queue: new InProcessQueue(spec, this.#host), owner });
    for (const onDeclared of this.#awaitingQueue.get(spec.name) ?? []) onDeclared();
    this.#awaitingQueue.delete(spec.name);
  }

  /** @throws {AppError} broker-unavailable when the queue or the exchange is missing */
  bind(binding: BindingSpec, owner: object): void {
    const exchange = this.#exchanges.get(binding.exchange);
    const entry = this.#queues.get(binding.queue);
    if (exchange === undefined || entry === undefined) {
      throw new AppError(
        'broker-unavailable',
        `queue "${binding.queue}" cannot be bound to exchange "${binding.exchange}": declare both first`,
      );
    }
    this.#assertMayUse(entry, owner);
    exchange.bind(binding.queue, binding.routingKey);
  }

  publish(message: OutgoingMessage): PublishOutcome {
    const exchange = this.#exchanges.get(message.exchange);
    // RabbitMQ closes the channel of a publisher that names an unknown exchange, so no confirm comes.
    if (exchange === undefined) return 'unavailable';
    const queues = exchange.route(message.routingKey);
    let isTaken = true;
    for (const name of queues) isTaken = (this.#queues.get(name)?.queue.push(message) ?? true) && isTaken;
    if (queues.size === 0) return 'unroutable';
    return isTaken ? 'confirmed' : 'rejected';
  }

  /** Undefined when there is none. @throws {AppError} broker-unavailable when another connection owns it */
  findQueue(name: string, user: object): InProcessQueue | undefined {
    const entry = this.#queues.get(name);
    if (entry !== undefined) this.#assertMayUse(entry, user);
    return entry?.queue;
  }

  /** Calls `onDeclared` once when a queue of that name is declared; returns how to stop waiting. */
  awaitQueue(name: string, onDeclared: () => void): () => void {
    const waiting = this.#awaitingQueue.get(name) ?? new Set();
    this.#awaitingQueue.set(name, waiting.add(onDeclared));
    return () => {
      waiting.delete(onDeclared);
      if (waiting.size === 0) this.#awaitingQueue.delete(name);
    };
  }

  /** Removes the exclusive queues of a connection that closed (I1). */
  forget(owner: object): void {
    for (const [name, entry] of this.#queues) {
      if (entry.owner !== owner || entry.queue.spec.exclusive !== true) continue;
      entry.queue.delete();
      this.#queues.delete(name);
      for (const exchange of this.#exchanges.values()) exchange.unbindQueue(name);
    }
  }

  #assertMayUse(entry: { queue: InProcessQueue; owner: object }, user: object): void {
    if (entry.queue.spec.exclusive !== true || entry.owner === user) return;
    throw new AppError(
      'broker-unavailable',
      `queue "${entry.queue.spec.name}" belongs to another connection`,
    );
  }

  #deadLetter(queue: QueueSpec, message: OutgoingMessage, reason: DeathReason): void {
    if (queue.deadLetterExchange === undefined) return;
    const { expirationMs: _expired, ...rest } = message;
    this.publish({
      ...rest,
      exchange: queue.deadLetterExchange,
      routingKey: queue.deadLetterRoutingKey ?? message.routingKey,
      headers: {
        'x-first-death-reason': reason,
        'x-first-death-queue': queue.name,
        'x-first-death-exchange': message.exchange,
        ...message.headers,
      },
    });
  }
}

function assertSameQueue(existing: QueueSpec, declared: QueueSpec): void {
  for (const argument of Object.keys(queueDefaults) as (keyof typeof queueDefaults)[]) {
    const before = String(existing[argument] ?? queueDefaults[argument]);
    const now = String(declared[argument] ?? queueDefaults[argument]);
    if (before === now) continue;
    const { name } = declared;
    throw new TopologyMismatchError({ subject: 'queue', name, argument, declared: now, existing: before });
  }
}
