/**
 * One consumer, over as many channels as it takes.
 *
 * I1  Deliveries of a channel that has closed cannot be acknowledged any more; trying does nothing, because the
 *     broker delivers them again.
 * I2  A cancelled consumer keeps its channel until its last delivery is acknowledged, then gives it back.
 */
import { type Logger, messageOf, withDeadline } from '@gantry/kernel';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { ConsumeOptions, Consumer, Delivery } from '../../ports.js';
import type { AmqpSession } from './amqp-session.js';
import { ChannelKeeper, type KeptChannel } from './channel-keeper.js';

const cancelTimeoutMs = 2000;

/** What one channel delivered. */
interface Line {
  readonly channel: Channel;
  readonly isNoAck: boolean;
  consumerTag: string | undefined;
  isOpen: boolean;
  unacked: number;
}

export class AmqpConsumer implements Consumer, KeptChannel<Channel> {
  readonly what: string;
  readonly open: KeptChannel<Channel>['open'] = (session, onGone) => session.openChannel(onGone);
  readonly #queue: string;
  readonly #options: ConsumeOptions;
  readonly #onDelivery: (delivery: Delivery) => void;
  readonly #onCancelled: (consumer: AmqpConsumer) => void;
  readonly #logger: Logger;
  #keeper: ChannelKeeper<Channel> | undefined;
  #line: Line | undefined;
  #isCancelled = false;

  constructor(
    queue: string,
    options: ConsumeOptions,
    onDelivery: (delivery: Delivery) => void,
    onCancelled: (consumer: AmqpConsumer) => void,
    logger: Logger,
  ) {
    this.what = `consuming ${queue}`;
    this.#queue = queue;
    this.#options = options;
    this.#onDelivery = onDelivery;
    this.#onCancelled = onCancelled;
    this.#logger = logger;
  }

  /** Consumes on this session from now on; resolves after the first attempt. */
  attach(session: AmqpSession): Promise<void> {
    void this.#keeper?.stop();
    this.#keeper = new ChannelKeeper(session, this, this.#logger);
    return this.#keeper.firstAttempt;
  }

  async setUp(channel: Channel): Promise<void> {
    const line: Line = {
      channel,
      isNoAck: this.#options.noAck === true,
      consumerTag: undefined,
      isOpen: true,
      unacked: 0,
    };
    this.#line = line;
    if (this.#options.prefetch !== undefined) await channel.prefetch(this.#options.prefetch);
    const onMessage = (message: ConsumeMessage | null) => this.#receive(line, message);
    const { consumerTag } = await channel.consume(this.#queue, onMessage, { noAck: line.isNoAck });
    line.consumerTag = consumerTag;
  }

  onGone(channel: Channel): void {
    if (this.#line?.channel !== channel) return;
    this.#line.isOpen = false;
    this.#line = undefined;
  }

  async cancel(): Promise<void> {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    const line = this.#line;
    if (line?.consumerTag === undefined) await this.#finish();
    else await this.#stopDeliveries(line, line.consumerTag);
  }

  /** Closes the channel; what was not acknowledged goes back to the queue. */
  async stop(): Promise<void> {
    await this.#keeper?.stop();
  }

  /** The last delivery of a cancelled consumer was acknowledged (I2). */
  onSettled(line: Line): void {
    if (this.#isCancelled && line.unacked === 0) void this.#finish();
  }

  #receive(line: Line, message: ConsumeMessage | null): void {
    if (message === null) {
      // The broker cancelled us: the queue is gone, or moved. A fresh channel finds out.
      this.#logger.warn('the broker cancelled a consumer; consuming again', { queue: this.#queue });
      line.channel.close().catch(() => undefined);
      return;
    }
    if (!line.isNoAck) line.unacked += 1;
    try {
      this.#onDelivery(new AmqpDelivery(message, line, this));
    } catch (error) {
      // Thrown further it would end the connection.
      this.#logger.error('a consumer threw on a delivery', { queue: this.#queue, error: messageOf(error) });
    }
  }

  async #stopDeliveries(line: Line, consumerTag: string): Promise<void> {
    try {
      await withDeadline(line.channel.cancel(consumerTag), cancelTimeoutMs, `cancelling ${this.#queue}`);
    } catch {
      // The channel is gone or does not answer: closing it ends the deliveries as well.
      await this.#finish();
      return;
    }
    if (line.unacked === 0) await this.#finish();
  }

  async #finish(): Promise<void> {
    this.#onCancelled(this);
    await this.#keeper?.stop();
  }
}

class AmqpDelivery implements Delivery {
  readonly #message: ConsumeMessage;
  readonly #line: Line;
  readonly #consumer: AmqpConsumer;
  #isSettled: boolean;

  constructor(message: ConsumeMessage, line: Line, consumer: AmqpConsumer) {
    this.#message = message;
    this.#line = line;
    this.#consumer = consumer;
    this.#isSettled = line.isNoAck;
  }

  get messageId(): string {
    return String(this.#message.properties.messageId ?? '');
  }

  get routingKey(): string {
    return this.#message.fields.routingKey;
  }

  get headers(): Readonly<Record<string, unknown>> {
    return this.#message.properties.headers ?? {};
  }

  get content(): Buffer {
    return this.#message.content;
  }

  get redelivered(): boolean {
    return this.#message.fields.redelivered;
  }

  ack(): void {
    this.#settle((channel) => channel.ack(this.#message));
  }

  nack(options: { requeue: boolean }): void {
    this.#settle((channel) => channel.nack(this.#message, false, options.requeue));
  }

  #settle(answer: (channel: Channel) => void): void {
    if (this.#isSettled || !this.#line.isOpen) return;
    this.#isSettled = true;
    this.#line.unacked -= 1;
    try {
      answer(this.#line.channel);
    } catch {
      // The channel is closing, so the broker delivers it again (I1).
    }
    this.#consumer.onSettled(this.#line);
  }
}
