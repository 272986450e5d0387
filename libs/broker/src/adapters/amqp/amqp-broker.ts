/**
 * The port over RabbitMQ: one connection, kept up for as long as the broker object lives.
 *
 * Stages: `connecting` (a loop of attempts) → `connected` ⇄ `blocked` → `connecting` … → `closed`.
 * On one connection: one confirm channel for publishes, one channel per consumer, one for declarations and questions.
 * Longer than most files, because the methods of the port and the loop that reconnects share one state.
 *
 * I1  `connected` is announced after the topology was declared again, so that a publish finds its queue.
 * I2  The first attempt after a loss comes within 200 ms, later ones with full jitter up to 10 s; a connection that
 *     broke at once does not start the count again.
 * I3  After `close` there is no socket, timer or channel, and no attempt follows.
 */
import {
  AppError,
  DeadlineWheel,
  delay,
  fullJitterMs,
  type Logger,
  messageOf,
  silentLogger,
} from '@gantry/kernel';
import type { Channel, ConfirmChannel } from 'amqplib';
import type {
  Broker,
  BrokerStatus,
  ConsumeOptions,
  Consumer,
  Delivery,
  OutgoingMessage,
  PublishOutcome,
  QueueState,
  Topology,
} from '../../ports.js';
import { StatusSource } from '../../status-source.js';
import { AmqpConsumer } from './amqp-consumer.js';
import { AmqpSession, type SessionOptions } from './amqp-session.js';
import { type BrokerAddress, parseBrokerUrl } from './broker-url.js';
import { ChannelKeeper } from './channel-keeper.js';
import { ConfirmPublisher, type InFlightLimits } from './confirm-publisher.js';
import { declareItem, itemsOf } from './declarations.js';
import { DeclaredTopology } from './declared-topology.js';
import { OperationChannel, replyCodeOf, toUnavailable } from './operation-channel.js';

export interface AmqpBrokerOptions {
  /** `amqp://user:password@host:port/vhost` or `amqps://…`; user, password and virtual host percent-encoded. */
  readonly url: string;
  /** PEM file with the authorities to trust with `amqps:`; the system's by default. */
  readonly caFile?: string | undefined;
  /** Shown in RabbitMQ's list of connections. Default `gantry`. */
  readonly connectionName?: string | undefined;
  /** A silent connection is given up after two to three of these. Default 5. */
  readonly heartbeatSeconds?: number | undefined;
  /** Default 5000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Publishes that wait for their confirm at once; more are `unavailable`. Default 16,384 and 256 MiB. */
  readonly inFlightLimits?: InFlightLimits | undefined;
  readonly logger?: Logger | undefined;
}

const reconnectBaseMs = 200;
const reconnectMaxMs = 10_000;
/** A connection that lived shorter counts as a failed attempt. */
const stableAfterMs = 5000;
const closeTimeoutMs = 2000;
const declareTimeoutMs = 5000;
const defaultInFlightLimits: InFlightLimits = { maxMessages: 16_384, maxBytes: 256 * 1024 * 1024 };

/** The connection in use, with what hangs on it. */
interface Live {
  readonly session: AmqpSession;
  readonly operations: OperationChannel;
  readonly publishing: ChannelKeeper<ConfirmChannel>;
}

export class AmqpBroker implements Broker {
  readonly isDurable = true;
  readonly #address: BrokerAddress;
  readonly #sessionOptions: SessionOptions;
  readonly #logger: Logger;
  readonly #status = new StatusSource('connecting');
  readonly #wheel = new DeadlineWheel(20);
  readonly #publisher: ConfirmPublisher;
  readonly #topology: DeclaredTopology;
  readonly #consumers = new Set<AmqpConsumer>();
  readonly #closing = new AbortController();
  /** The connection, from its handshake on. */
  #session: AmqpSession | undefined;
  /** The connection once it is set up. */
  #live: Live | undefined;
  #loop: Promise<void> = Promise.resolve();

  private constructor(options: AmqpBrokerOptions) {
    this.#address = parseBrokerUrl(options.url);
    this.#logger = options.logger ?? silentLogger;
    this.#topology = new DeclaredTopology(this.#logger);
    this.#sessionOptions = {
      heartbeatSeconds: options.heartbeatSeconds ?? 5,
      connectTimeoutMs: options.connectTimeoutMs ?? 5000,
      connectionName: options.connectionName ?? 'gantry',
      caFile: options.caFile,
    };
    this.#publisher = new ConfirmPublisher(
      this.#wheel,
      options.inFlightLimits ?? defaultInFlightLimits,
      this.#logger,
    );
  }

  /**
   * Resolves after the first attempt. When that failed the status is `connecting` and attempts go on: a service
   * starts, and says that it is not ready, while its broker is down.
   * @throws {Error} when the URL cannot be read
   */
  static async connect(options: AmqpBrokerOptions): Promise<AmqpBroker> {
    const broker = new AmqpBroker(options);
    await new Promise<void>((resolve) => {
      broker.#loop = broker.#run(resolve);
    });
    return broker;
  }

  get status(): BrokerStatus {
    return this.#status.current;
  }

  onStatus(listener: (status: BrokerStatus) => void): () => void {
    return this.#status.subscribe(listener);
  }

  async declare(topology: Topology, options: { timeoutMs?: number } = {}): Promise<void> {
    this.#assertOpen();
    const items = itemsOf(topology);
    const giveUpAtMs = performance.now() + (options.timeoutMs ?? declareTimeoutMs);
    for (;;) {
      if (this.#live === undefined) {
        for (const item of items) this.#topology.remember(item);
        await this.#untilConnected(Math.max(0, giveUpAtMs - performance.now()));
      }
      const live = this.#live;
      if (live === undefined) return;
      try {
        for (const item of items) {
          await declareItem(live.operations, item);
          this.#topology.remember(item);
        }
        return;
      } catch (error) {
        // A connection that broke meanwhile is no refusal: wait for the next one.
        if (!live.session.isLost) throw error;
        if (this.#live === live) this.#live = undefined;
      }
    }
  }

  publish(message: OutgoingMessage, options: { timeoutMs: number }): Promise<PublishOutcome> {
    return this.#publisher.publish(message, options.timeoutMs);
  }

  async consume(
    queue: string,
    options: ConsumeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<Consumer> {
    this.#assertOpen();
    const forget = (each: AmqpConsumer) => this.#consumers.delete(each);
    const consumer = new AmqpConsumer(queue, options, onDelivery, forget, this.#logger);
    this.#consumers.add(consumer);
    if (this.#live !== undefined) await consumer.attach(this.#live.session);
    return consumer;
  }

  inspect(queue: string): Promise<QueueState | undefined> {
    return this.#ask(`inspecting ${queue}`, async (channel) => {
      try {
        const { messageCount, consumerCount } = await channel.checkQueue(queue);
        return { messages: messageCount, consumers: consumerCount };
      } catch (error) {
        if (replyCodeOf(error) === 404) return undefined;
        throw error;
      }
    });
  }

  roundTripMs(): Promise<number> {
    return this.#ask('measuring the round trip', async (channel) => {
      const startedMs = performance.now();
      // The cheapest question there is; this channel has no consumers, so the answer changes nothing.
      await channel.prefetch(0);
      return performance.now() - startedMs;
    });
  }

  async close(): Promise<void> {
    this.#status.set('closed');
    this.#closing.abort();
    const live = this.#live;
    this.#live = undefined;
    if (live !== undefined) {
      // Channels first: the goodbye of the connection would overtake acknowledgements still in their buffers.
      await Promise.all([...[...this.#consumers].map((consumer) => consumer.stop()), live.publishing.stop()]);
      await live.session.close(closeTimeoutMs);
    }
    this.#session?.destroy('closed while it was set up');
    await this.#loop;
    this.#wheel.clear();
  }

  async #run(onFirstAttempt: () => void): Promise<void> {
    for (let attempt = 0; !this.#closing.signal.aborted; attempt += 1) {
      const startedMs = performance.now();
      const session = await this.#tryConnect();
      onFirstAttempt();
      if (session !== undefined) {
        const reason = await session.lost;
        this.#session = undefined;
        this.#live = undefined;
        if (this.#closing.signal.aborted) return;
        this.#status.set('connecting');
        this.#logger.warn('the connection to the message broker was lost', {
          broker: this.#address.label,
          reason,
        });
        if (performance.now() - startedMs >= stableAfterMs) attempt = 0;
      }
      await this.#pause(fullJitterMs(attempt, reconnectBaseMs, reconnectMaxMs));
    }
  }

  async #tryConnect(): Promise<AmqpSession | undefined> {
    try {
      const session = await AmqpSession.open(this.#address, this.#sessionOptions, this.#closing.signal);
      this.#session = session;
      await this.#takeOver(session);
      return session;
    } catch (error) {
      this.#session?.destroy('it could not be set up');
      if (!this.#closing.signal.aborted) {
        this.#logger.warn('cannot connect to the message broker; trying again', {
          broker: this.#address.label,
          error: messageOf(error),
        });
      }
      return undefined;
    }
  }

  /** Makes a fresh session the one in use: publishing, topology, status, consumers, in this order (I1). */
  async #takeOver(session: AmqpSession): Promise<void> {
    const publishing = new ChannelKeeper(session, this.#publisher, this.#logger);
    const live: Live = { session, operations: new OperationChannel(session), publishing };
    await publishing.firstAttempt;
    const failed = await this.#topology.restore(session, live.operations);
    if (this.#closing.signal.aborted) session.destroy('closed while it was set up');
    if (this.#closing.signal.aborted || session.isLost) return;
    this.#live = live;
    this.#publisher.setBlocked(false);
    this.#status.set('connected');
    session.onBlocked((isBlocked) => this.#onBlocked(isBlocked));
    for (const consumer of this.#consumers) void consumer.attach(session);
    // Ends by itself with the session, and never rejects.
    void this.#topology.retry(session, live.operations, failed, this.#closing.signal);
  }

  #onBlocked(isBlocked: boolean): void {
    this.#publisher.setBlocked(isBlocked);
    this.#status.set(isBlocked ? 'blocked' : 'connected');
    if (isBlocked)
      this.#logger.error('the message broker takes no messages: it is out of memory or disk space');
    else this.#logger.info('the message broker takes messages again');
  }

  async #ask<T>(what: string, question: (channel: Channel) => Promise<T>): Promise<T> {
    const live = this.#live;
    if (live === undefined)
      throw new AppError('broker-unavailable', `${what}: no connection to the message broker`);
    try {
      return await live.operations.run(what, question);
    } catch (error) {
      throw toUnavailable(what, error);
    }
  }

  /** Resolves when connected, closed or after `timeoutMs`. */
  #untilConnected(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        stopListening();
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      const stopListening = this.#status.subscribe((status) => {
        if (status !== 'connecting') done();
      });
    });
  }

  async #pause(ms: number): Promise<void> {
    try {
      await delay(ms, this.#closing.signal);
    } catch {
      // Closing: the loop looks at the signal next.
    }
  }

  #assertOpen(): void {
    if (this.status === 'closed') {
      throw new AppError('broker-unavailable', 'the connection to the broker is closed');
    }
  }
}
