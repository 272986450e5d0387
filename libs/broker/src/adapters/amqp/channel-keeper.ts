import { fullJitterMs, type Logger, messageOf, withDeadline } from '@gantry/kernel';
import type { Channel } from 'amqplib';
import type { AmqpSession } from './amqp-session.js';

export interface KeptChannel<C extends Channel> {
  /** For logs: whose channel it is. */
  readonly what: string;
  /** Opens the channel on the session, with `onGone` as its end. */
  open(session: AmqpSession, onGone: () => void): Promise<C>;
  /** Prepares it; a failure here closes it and tries again later. */
  setUp(channel: C): Promise<void>;
  /** The channel has closed, whoever closed it. */
  onGone(channel: C): void;
}

const retryBaseMs = 200;
const retryMaxMs = 5000;
const setUpTimeoutMs = 10_000;
const closeTimeoutMs = 1000;

/**
 * Keeps one channel open for as long as its session lives: a channel that the broker closes (its queue was deleted,
 * a publish named an unknown exchange) is opened and set up again after a full-jitter pause.
 *
 * I1  At most one channel is open; after `stop` none is, and none will be.
 */
export class ChannelKeeper<C extends Channel> {
  /** Resolves after the first attempt, whether it succeeded or not. */
  readonly firstAttempt: Promise<void>;
  readonly #session: AmqpSession;
  readonly #kept: KeptChannel<C>;
  readonly #logger: Logger;
  #channel: C | undefined;
  #attempt = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(session: AmqpSession, kept: KeptChannel<C>, logger: Logger) {
    this.#session = session;
    this.#kept = kept;
    this.#logger = logger;
    this.firstAttempt = this.#open();
  }

  /** Closes the channel after what was written to it, such as acknowledgements, has been sent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel !== undefined) await closeChannel(channel);
  }

  async #open(): Promise<void> {
    let channel: C | undefined;
    let isGone = false;
    const onGone = () => {
      isGone = true;
      this.#gone(channel);
    };
    try {
      channel = await withDeadline(this.#kept.open(this.#session, onGone), setUpTimeoutMs, this.#kept.what);
      if (isGone) throw new Error('the broker closed the channel at once');
      if (this.#isStopped) {
        await closeChannel(channel);
        return;
      }
      this.#channel = channel;
      await withDeadline(this.#kept.setUp(channel), setUpTimeoutMs, this.#kept.what);
      this.#attempt = 0;
    } catch (error) {
      if (this.#isOver()) return;
      this.#logger.warn('a channel could not be set up; trying again', {
        channel: this.#kept.what,
        error: messageOf(error),
      });
      if (this.#channel === channel) this.#channel = undefined;
      if (channel !== undefined) await closeChannel(channel);
      this.#retry();
    }
  }

  #gone(channel: C | undefined): void {
    if (channel === undefined) return;
    this.#kept.onGone(channel);
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#retry();
  }

  #retry(): void {
    if (this.#isOver() || this.#timer !== undefined) return;
    const pauseMs = fullJitterMs(this.#attempt, retryBaseMs, retryMaxMs);
    this.#attempt += 1;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#isOver()) void this.#open();
    }, pauseMs).unref();
  }

  #isOver(): boolean {
    return this.#isStopped || this.#session.isLost;
  }
}

/** Closing a closed channel throws; a broker that does not answer must not hold up whoever closes. */
async function closeChannel(channel: Channel): Promise<void> {
  try {
    await withDeadline(channel.close(), closeTimeoutMs, 'closing a channel');
  } catch {
    // It is closed, or it goes with its connection.
  }
}
