/**
 * One queue of the in-process broker and the consumers on it.
 *
 * I1  A message is in the line, or unacknowledged at exactly one consumer, or gone.
 * I2  Deliveries happen in a turn of the event loop of their own, never inside publish, ack or consume.
 * I3  Consumers take turns; one that has `prefetch` unacknowledged deliveries is passed over.
 * I4  Expiry acts at the head of the line only, as in RabbitMQ.
 */
import { type DeadlineWheel, type Logger, messageOf } from '@gantry/kernel';
import type { ConsumeOptions, Delivery, OutgoingMessage, QueueSpec, QueueState } from '../../ports.js';
import { MessageLine, type StoredMessage } from './message-line.js';

/** Deliveries in one turn of the event loop before others get theirs. */
const deliveriesPerTurn = 128;

/** Why a message was dead-lettered, in RabbitMQ's words. */
export type DeathReason = 'rejected' | 'expired' | 'delivery_limit';

/** What a queue needs of its server. */
export interface QueueHost {
  readonly wheel: DeadlineWheel;
  readonly logger: Logger;
  deadLetter(queue: QueueSpec, message: OutgoingMessage, reason: DeathReason): void;
}

/** A consumer as the queue sees it. */
export interface QueueConsumer {
  readonly options: ConsumeOptions;
  readonly onDelivery: (delivery: Delivery) => void;
  /** Delivered and neither acknowledged nor returned. */
  readonly unacked: Set<InProcessDelivery>;
}

export class InProcessQueue {
  readonly spec: QueueSpec;
  readonly #host: QueueHost;
  readonly #line = new MessageLine();
  #consumers: QueueConsumer[] = [];
  #nextPosition = 0;
  #isTurnScheduled = false;
  #expiry: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #isDeleted = false;

  constructor(spec: QueueSpec, host: QueueHost) {
    this.spec = spec;
    this.#host = host;
  }

  get state(): QueueState {
    this.#expireHead();
    return { messages: this.#line.length, consumers: this.#consumers.length };
  }

  /** False when the queue is full; `drop-head` queues make room instead. */
  push(message: OutgoingMessage): boolean {
    this.#expireHead();
    if (this.#isFull()) {
      if (this.spec.overflow !== 'drop-head') return false;
      this.#line.take();
    }
    this.#nextPosition += 1;
    const { expirationMs } = message;
    const expiresAtMs = expirationMs === undefined ? undefined : performance.now() + expirationMs;
    this.#line.push({ message, position: this.#nextPosition, expiresAtMs, deliveryCount: 0 });
    this.#scheduleTurn();
    return true;
  }

  addConsumer(consumer: QueueConsumer): void {
    this.#consumers.push(consumer);
    this.#scheduleTurn();
  }

  removeConsumer(consumer: QueueConsumer): void {
    this.#consumers = this.#consumers.filter((each) => each !== consumer);
  }

  /** The delivery is done; its consumer has room again. */
  settle(): void {
    this.#scheduleTurn();
  }

  /** Back into the line, or to the dead letters when it came back too often. */
  putBack(stored: StoredMessage): void {
    if (this.#isDeleted) return;
    const { replicated, deliveryLimit } = this.spec;
    if (replicated === true && deliveryLimit !== undefined && stored.deliveryCount > deliveryLimit) {
      this.deadLetter(stored, 'delivery_limit');
      return;
    }
    this.#line.putBack(stored);
    this.#scheduleTurn();
  }

  deadLetter(stored: StoredMessage, reason: DeathReason): void {
    this.#host.deadLetter(this.spec, stored.message, reason);
    this.#scheduleTurn();
  }

  delete(): void {
    this.#isDeleted = true;
    this.#expiry?.cancel();
    this.#consumers = [];
    while (this.#line.take() !== undefined);
  }

  #isFull(): boolean {
    const { maxMessages, maxBytes } = this.spec;
    return (
      (maxMessages !== undefined && this.#line.length >= maxMessages) ||
      (maxBytes !== undefined && this.#line.sizeBytes >= maxBytes)
    );
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled || this.#isDeleted) return;
    this.#isTurnScheduled = true;
    setImmediate(() => {
      this.#isTurnScheduled = false;
      this.#deliverTurn();
    });
  }

  #deliverTurn(): void {
    for (let delivered = 0; delivered < deliveriesPerTurn; delivered += 1) {
      this.#expireHead();
      if (this.#line.length === 0) return;
      const consumer = this.#nextConsumer();
      if (consumer === undefined) return;
      const stored = this.#line.take();
      if (stored !== undefined) this.#deliver(stored, consumer);
    }
    this.#scheduleTurn();
  }

  /** The first consumer with room, which then goes to the end (I3). */
  #nextConsumer(): QueueConsumer | undefined {
    const index = this.#consumers.findIndex(
      ({ options, unacked }) =>
        options.noAck === true || options.prefetch === undefined || unacked.size < options.prefetch,
    );
    const [consumer] = index < 0 ? [] : this.#consumers.splice(index, 1);
    if (consumer !== undefined) this.#consumers.push(consumer);
    return consumer;
  }

  #deliver(stored: StoredMessage, consumer: QueueConsumer): void {
    const delivery = new InProcessDelivery(this, stored, consumer);
    stored.deliveryCount += 1;
    if (consumer.options.noAck !== true) consumer.unacked.add(delivery);
    try {
      consumer.onDelivery(delivery);
    } catch (error) {
      this.#host.logger.error('a consumer threw on a delivery', {
        queue: this.spec.name,
        error: messageOf(error),
      });
    }
  }

  #expireHead(): void {
    for (;;) {
      const head = this.#line.peek();
      if (head?.expiresAtMs === undefined) return;
      const remainingMs = head.expiresAtMs - performance.now();
      if (remainingMs > 0) {
        this.#watchHead(head.expiresAtMs, remainingMs);
        return;
      }
      this.#line.take();
      this.#host.deadLetter(this.spec, head.message, 'expired');
    }
  }

  /** One entry in the wheel per queue, for whoever is the head then. */
  #watchHead(expiresAtMs: number, remainingMs: number): void {
    if (this.#expiry !== undefined && this.#expiry.atMs <= expiresAtMs) return;
    this.#expiry?.cancel();
    const cancel = this.#host.wheel.schedule(remainingMs, () => {
      this.#expiry = undefined;
      if (!this.#isDeleted) this.#expireHead();
    });
    this.#expiry = { atMs: expiresAtMs, cancel };
  }
}

/** A message at a consumer. Settled once; later calls, and calls after its connection closed, do nothing. */
export class InProcessDelivery implements Delivery {
  readonly redelivered: boolean;
  readonly #queue: InProcessQueue;
  readonly #stored: StoredMessage;
  readonly #consumer: QueueConsumer;

  constructor(queue: InProcessQueue, stored: StoredMessage, consumer: QueueConsumer) {
    this.#queue = queue;
    this.#stored = stored;
    this.#consumer = consumer;
    this.redelivered = stored.deliveryCount > 0;
  }

  get messageId(): string {
    return this.#stored.message.messageId;
  }

  get routingKey(): string {
    return this.#stored.message.routingKey;
  }

  get headers(): Readonly<Record<string, unknown>> {
    return this.#stored.message.headers;
  }

  get content(): Buffer {
    return this.#stored.message.content;
  }

  ack(): void {
    if (this.#consumer.unacked.delete(this)) this.#queue.settle();
  }

  nack(options: { requeue: boolean }): void {
    if (!this.#consumer.unacked.delete(this)) return;
    if (options.requeue) this.#queue.putBack(this.#stored);
    else this.#queue.deadLetter(this.#stored, 'rejected');
  }
}
