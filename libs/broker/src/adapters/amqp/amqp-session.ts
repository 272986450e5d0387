/**
 * One life of a connection to RabbitMQ, from its handshake to its loss. It is never revived: the broker opens
 * another one.
 *
 * I1  `lost` resolves exactly once, and then every channel of the session has closed.
 * I2  A session that is given up leaves no socket, also when the other side does not answer.
 */
import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { messageOf, withDeadline } from '@gantry/kernel';
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import type { BrokerAddress } from './broker-url.js';

export interface SessionOptions {
  readonly heartbeatSeconds: number;
  readonly connectTimeoutMs: number;
  /** Shown in RabbitMQ's list of connections. */
  readonly connectionName: string;
  /** PEM file with the authorities to trust instead of the system's; read at each connect, so it can be replaced. */
  readonly caFile?: string | undefined;
}

export class AmqpSession {
  /** Why it ended. */
  readonly lost: Promise<string>;
  readonly #model: ChannelModel;
  #isLost = false;
  #isBlocked = false;
  #onBlocked: ((isBlocked: boolean) => void) | undefined;

  private constructor(model: ChannelModel) {
    this.#model = model;
    let reason = 'the connection was closed';
    model.on('error', (error) => {
      reason = messageOf(error);
    });
    this.lost = new Promise((resolve) => {
      model.on('close', (error) => {
        this.#isLost = true;
        // After a missed heartbeat the socket would wait for the other side for minutes (I2).
        streamOf(model)?.destroy();
        resolve(error === undefined ? reason : messageOf(error));
      });
    });
    model.on('blocked', () => this.#setBlocked(true));
    model.on('unblocked', () => this.#setBlocked(false));
  }

  /** @throws whatever kept it from connecting; never with credentials in it */
  static async open(
    address: BrokerAddress,
    options: SessionOptions,
    signal: AbortSignal,
  ): Promise<AmqpSession> {
    const ca = options.caFile === undefined ? undefined : await readFile(options.caFile);
    const opening = connect(
      { ...address.connect, heartbeat: options.heartbeatSeconds },
      {
        // Without it one call waits 40 ms for the other side's delayed acknowledgement.
        noDelay: true,
        keepAlive: true,
        timeout: options.connectTimeoutMs,
        clientProperties: { connection_name: options.connectionName },
        ...(ca === undefined ? {} : { ca }),
      },
    );
    try {
      const timeoutMs = options.connectTimeoutMs + 500;
      const model = await withDeadline(
        orAborted(opening, signal),
        timeoutMs,
        `connecting to ${address.label}`,
      );
      return new AmqpSession(model);
    } catch (error) {
      // Whoever answers after that must not stay connected.
      opening.then(
        (model) => destroyModel(model),
        () => undefined,
      );
      throw error;
    }
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Calls `listener` when the broker stops or starts taking messages, and now if it has stopped already. */
  onBlocked(listener: (isBlocked: boolean) => void): void {
    this.#onBlocked = listener;
    if (this.#isBlocked) listener(true);
  }

  /** `onGone` is called once when the channel has closed, whoever closed it. */
  async openChannel(onGone: () => void): Promise<Channel> {
    return this.#watch(await this.#model.createChannel(), onGone);
  }

  async openConfirmChannel(onGone: () => void): Promise<ConfirmChannel> {
    return this.#watch(await this.#model.createConfirmChannel(), onGone);
  }

  /** Says goodbye; hangs up when the broker does not answer within `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#isLost) return;
    try {
      await withDeadline(this.#model.close(), timeoutMs, 'closing the connection');
    } catch {
      this.destroy('the broker did not answer the goodbye');
    }
  }

  /** Hangs up. */
  destroy(reason: string): void {
    if (!this.#isLost) destroyModel(this.#model, reason);
  }

  #setBlocked(isBlocked: boolean): void {
    this.#isBlocked = isBlocked;
    this.#onBlocked?.(isBlocked);
  }

  #watch<C extends Channel>(channel: C, onGone: () => void): C {
    // amqplib throws errors nobody listens to; what went wrong is in the rejection of the call that caused it.
    channel.on('error', () => undefined);
    channel.once('close', onGone);
    if (this.#isLost) throw new Error('the connection was lost while a channel was opened');
    return channel;
  }
}

/** Rejects as soon as the signal aborts. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new Error('given up'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** An error makes amqplib notice, stop its heartbeat and close its channels. */
function destroyModel(model: ChannelModel, reason = 'the connection was given up'): void {
  model.on('error', () => undefined);
  streamOf(model)?.destroy(new Error(reason));
}

/** amqplib has no way to hang up; the socket is where it has been since its first version. */
const streamOf = (model: ChannelModel): Duplex | undefined =>
  (model.connection as { stream?: Duplex }).stream;
