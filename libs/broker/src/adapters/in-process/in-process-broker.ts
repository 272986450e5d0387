import { AppError } from '@gantry/kernel';
import type {
  BindingSpec,
  Broker,
  BrokerStatus,
  ConsumeOptions,
  Consumer,
  Delivery,
  ExchangeSpec,
  OutgoingMessage,
  PublishOutcome,
  QueueSpec,
  QueueState,
  Topology,
} from '../../ports.js';
import { StatusSource } from '../../status-source.js';
import type { InProcessDelivery, InProcessQueue } from './in-process-queue.js';

/** What a connection asks of its server, with itself as the owner or user of queues. */
export interface ServerSide {
  declareExchange(spec: ExchangeSpec): void;
  declareQueue(spec: QueueSpec, owner: object): void;
  bind(binding: BindingSpec, owner: object): void;
  publish(message: OutgoingMessage): PublishOutcome;
  findQueue(name: string, user: object): InProcessQueue | undefined;
  awaitQueue(name: string, onDeclared: () => void): () => void;
  forget(owner: object): void;
}

/** One connection to an `InProcessServer`, which makes it. */
export class InProcessBroker implements Broker {
  readonly isDurable = false;
  readonly #server: ServerSide;
  readonly #status = new StatusSource('connected');
  readonly #consumers = new Set<InProcessConsumer>();

  constructor(server: ServerSide) {
    this.#server = server;
  }

  get status(): BrokerStatus {
    return this.#status.current;
  }

  onStatus(listener: (status: BrokerStatus) => void): () => void {
    return this.#status.subscribe(listener);
  }

  async declare(topology: Topology): Promise<void> {
    this.#assertOpen();
    for (const exchange of topology.exchanges) this.#server.declareExchange(exchange);
    for (const queue of topology.queues) this.#server.declareQueue(queue, this);
    for (const binding of topology.bindings) this.#server.bind(binding, this);
  }

  async publish(message: OutgoingMessage): Promise<PublishOutcome> {
    return this.#isClosed ? 'unavailable' : this.#server.publish(message);
  }

  async consume(
    queue: string,
    options: ConsumeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<Consumer> {
    this.#assertOpen();
    for (const each of this.#consumers) if (each.isFinished) this.#consumers.delete(each);
    const consumer = new InProcessConsumer(options, onDelivery);
    this.#consumers.add(consumer);
    const found = this.#server.findQueue(queue, this);
    if (found === undefined) {
      consumer.stopWaiting = this.#server.awaitQueue(queue, () => {
        const declared = this.#server.findQueue(queue, this);
        if (declared !== undefined) consumer.attach(declared);
      });
    } else {
      consumer.attach(found);
    }
    return consumer;
  }

  async inspect(queue: string): Promise<QueueState | undefined> {
    this.#assertOpen();
    return this.#server.findQueue(queue, this)?.state;
  }

  async roundTripMs(): Promise<number> {
    this.#assertOpen();
    return 0;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#status.set('closed');
    for (const consumer of this.#consumers) consumer.abandon();
    this.#consumers.clear();
    this.#server.forget(this);
  }

  get #isClosed(): boolean {
    return this.#status.current === 'closed';
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new AppError('broker-unavailable', 'the connection to the broker is closed');
  }
}

class InProcessConsumer implements Consumer {
  readonly options: ConsumeOptions;
  readonly onDelivery: (delivery: Delivery) => void;
  readonly unacked = new Set<InProcessDelivery>();
  stopWaiting: (() => void) | undefined;
  #queue: InProcessQueue | undefined;
  #isCancelled = false;

  constructor(options: ConsumeOptions, onDelivery: (delivery: Delivery) => void) {
    this.options = options;
    this.onDelivery = onDelivery;
  }

  /** Cancelled, and everything it got is acknowledged. */
  get isFinished(): boolean {
    return this.#isCancelled && this.unacked.size === 0;
  }

  attach(queue: InProcessQueue): void {
    this.stopWaiting = undefined;
    this.#queue = queue;
    queue.addConsumer(this);
  }

  async cancel(): Promise<void> {
    this.#stop();
  }

  /** The connection is gone: everything that was not acknowledged goes back. */
  abandon(): void {
    this.#stop();
    for (const delivery of [...this.unacked]) delivery.nack({ requeue: true });
  }

  #stop(): void {
    this.#isCancelled = true;
    this.stopWaiting?.();
    this.#queue?.removeConsumer(this);
  }
}
