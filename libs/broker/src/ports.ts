/**
 * The port to a message broker, in the terms of AMQP 0-9-1. Two adapters (`amqp/`, `in-process/`) pass one
 * contract suite (`broker.contract.ts`).
 *
 * I1  Nothing is declared, bound or opened per message.
 * I2  A publish ends with an outcome within its own deadline, whatever the broker does.
 * I3  After a reconnect the declared topology and every consumer are back; messages that were delivered and not
 *     acknowledged before it are delivered again, and acknowledging the lost delivery does nothing.
 */

export type ExchangeType = 'direct' | 'topic';

export interface ExchangeSpec {
  readonly name: string;
  readonly type: ExchangeType;
}

export interface QueueSpec {
  readonly name: string;
  /** Survives a broker restart. */
  readonly durable: boolean;
  /** Belongs to this connection and goes with it. */
  readonly exclusive?: boolean;
  /** Replicated by a cluster (RabbitMQ: quorum); classic otherwise. */
  readonly replicated?: boolean;
  /** Waiting messages it holds at most (softly: publishes in flight may overshoot). */
  readonly maxMessages?: number;
  readonly maxBytes?: number;
  /** What happens at the limit: the publish is refused (default), or the oldest message goes. */
  readonly overflow?: 'reject-publish' | 'drop-head';
  /** Exchange for rejected, expired and too often redelivered messages. */
  readonly deadLetterExchange?: string;
  readonly deadLetterRoutingKey?: string;
  /** Redeliveries before a message is dead-lettered; replicated queues only. */
  readonly deliveryLimit?: number;
}

export interface BindingSpec {
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
}

export interface Topology {
  readonly exchanges: readonly ExchangeSpec[];
  readonly queues: readonly QueueSpec[];
  readonly bindings: readonly BindingSpec[];
}

export type HeaderValue = string | number | boolean;

export interface OutgoingMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly messageId: string;
  readonly headers: Readonly<Record<string, HeaderValue>>;
  readonly content: Buffer;
  /** Written to disk by durable queues. */
  readonly persistent: boolean;
  /** The broker drops it after this long at the head of a queue. Housekeeping only. */
  readonly expirationMs?: number;
}

/**
 * How a publish ended. `confirmed`: at least one queue took it. `unroutable`: no queue is bound to its key.
 * `rejected`: a queue refused it (full). `unavailable`: no connection, the broker is blocked, or no confirm came
 * within the deadline - then the message may still have been taken.
 */
export type PublishOutcome = 'confirmed' | 'unroutable' | 'rejected' | 'unavailable';

export interface Delivery {
  readonly messageId: string;
  readonly routingKey: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly content: Buffer;
  readonly redelivered: boolean;
  /** Done with it. Idempotent; does nothing once the connection it came over is gone. */
  ack(): void;
  /** Not done: back to the queue (`requeue`), or to the dead-letter exchange. Idempotent like `ack`. */
  nack(options: { requeue: boolean }): void;
}

export interface ConsumeOptions {
  /** Deliveries not yet acknowledged at once. Absent: unlimited. */
  readonly prefetch?: number;
  /** Deliveries count as acknowledged when sent; for reply queues. */
  readonly noAck?: boolean;
}

export interface Consumer {
  /** No further deliveries; what was delivered can still be acknowledged. */
  cancel(): Promise<void>;
}

export interface QueueState {
  readonly messages: number;
  readonly consumers: number;
}

/** `blocked`: connected, but the broker takes no messages (memory or disk alarm). */
export type BrokerStatus = 'connecting' | 'connected' | 'blocked' | 'closed';

export interface Broker {
  readonly status: BrokerStatus;
  /** Whether persistent messages in durable queues survive a restart of the broker. */
  readonly isDurable: boolean;
  /** Calls `listener` at each change of status; returns how to stop. */
  onStatus(listener: (status: BrokerStatus) => void): () => void;
  /**
   * Declares, now if connected and again after every reconnect. Waits at most `timeoutMs` (default 5000) for the
   * broker; when it is not there by then, returns all the same and declares as soon as it is. Declaring again what
   * this connection declared before is cheap and adds only what is new.
   * @throws {TopologyMismatchError} when something of that name exists with other arguments; names the difference
   * @throws {AppError} broker-unavailable when the broker refused, or this connection is closed
   */
  declare(topology: Topology, options?: { timeoutMs?: number }): Promise<void>;
  /** Publishes mandatory and confirmed. Never throws; never takes longer than `timeoutMs` (I2). */
  publish(message: OutgoingMessage, options: { timeoutMs: number }): Promise<PublishOutcome>;
  /**
   * Consumes on a channel of its own, again after every reconnect (I3), and as soon as the queue exists when it
   * does not yet. `onDelivery` must not throw.
   */
  consume(
    queue: string,
    options: ConsumeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<Consumer>;
  /** Undefined when there is no such queue. @throws {AppError} broker-unavailable */
  inspect(queue: string): Promise<QueueState | undefined>;
  /** Time of one round trip to the broker in milliseconds. @throws {AppError} broker-unavailable */
  roundTripMs(): Promise<number>;
  close(): Promise<void>;
}
