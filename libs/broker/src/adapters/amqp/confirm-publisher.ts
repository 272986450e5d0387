/**
 * Publishes with confirms. Hot path: per message one window entry, one promise and one slot in the deadline wheel.
 *
 * I1  Every publish ends once, by: confirm, refusal, its deadline, the loss of its channel, or at once when there is
 *     no channel, the broker is blocked or too much is in flight.
 * I2  RabbitMQ returns an unroutable message before it confirms it. The return is matched by the delivery tag we
 *     sent along as correlation id, so the same message id in flight twice is no ambiguity.
 * I3  A publish past its deadline stays in the window until the broker settles it or the channel goes: its bytes are
 *     still in our buffers, and the bound on what is in flight is a bound on memory.
 */
import { type DeadlineWheel, type Logger, messageOf } from '@gantry/kernel';
import type { ConfirmChannel, Message } from 'amqplib';
import type { OutgoingMessage, PublishOutcome } from '../../ports.js';
import type { KeptChannel } from './channel-keeper.js';

export interface InFlightLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

interface Entry {
  readonly end: (outcome: PublishOutcome) => void;
  readonly sizeBytes: number;
  cancelDeadline: () => void;
  isReturned: boolean;
}

/** What was published on one channel and is not settled; keyed by delivery tag, so in ascending order. */
interface Window {
  readonly channel: ConfirmChannel;
  readonly entries: Map<number, Entry>;
  lastTag: number;
  sizeBytes: number;
}

export class ConfirmPublisher implements KeptChannel<ConfirmChannel> {
  readonly what = 'publishing';
  readonly open: KeptChannel<ConfirmChannel>['open'] = (session, onGone) =>
    session.openConfirmChannel(onGone);
  readonly #wheel: DeadlineWheel;
  readonly #limits: InFlightLimits;
  readonly #logger: Logger;
  #window: Window | undefined;
  #isBlocked = false;

  constructor(wheel: DeadlineWheel, limits: InFlightLimits, logger: Logger) {
    this.#wheel = wheel;
    this.#limits = limits;
    this.#logger = logger;
  }

  async setUp(channel: ConfirmChannel): Promise<void> {
    const window: Window = { channel, entries: new Map(), lastTag: 0, sizeBytes: 0 };
    channel.on('ack', ({ deliveryTag, multiple }) => settle(window, deliveryTag, multiple, true));
    channel.on('nack', ({ deliveryTag, multiple }) => settle(window, deliveryTag, multiple, false));
    channel.on('return', (message) => markReturned(window, message));
    this.#window = window;
  }

  onGone(channel: ConfirmChannel): void {
    const window = this.#window;
    if (window?.channel !== channel) return;
    this.#window = undefined;
    for (const entry of window.entries.values()) {
      entry.cancelDeadline();
      entry.end('unavailable');
    }
    window.entries.clear();
  }

  setBlocked(isBlocked: boolean): void {
    this.#isBlocked = isBlocked;
  }

  /** Never rejects. */
  publish(message: OutgoingMessage, timeoutMs: number): Promise<PublishOutcome> {
    const window = this.#window;
    if (window === undefined || this.#isBlocked || this.#isFull(window))
      return Promise.resolve('unavailable');
    const tag = window.lastTag + 1;
    try {
      window.channel.publish(message.exchange, message.routingKey, message.content, {
        mandatory: true,
        persistent: message.persistent,
        messageId: message.messageId,
        correlationId: String(tag),
        headers: message.headers,
        ...(message.expirationMs === undefined ? {} : { expiration: message.expirationMs }),
      });
    } catch (error) {
      // Nothing was written, so no tag was used: the channel closed this moment, or a header cannot be encoded.
      this.#logger.error('a message could not be written', {
        exchange: message.exchange,
        error: messageOf(error),
      });
      return Promise.resolve('unavailable');
    }
    window.lastTag = tag;
    const sizeBytes = message.content.length;
    window.sizeBytes += sizeBytes;
    return new Promise((end) => {
      window.entries.set(tag, {
        end,
        sizeBytes,
        isReturned: false,
        cancelDeadline: this.#wheel.schedule(timeoutMs, () => end('unavailable')),
      });
    });
  }

  #isFull(window: Window): boolean {
    return window.entries.size >= this.#limits.maxMessages || window.sizeBytes >= this.#limits.maxBytes;
  }
}

function settle(window: Window, tag: number, isMultiple: boolean, isAck: boolean): void {
  if (!isMultiple) {
    settleOne(window, tag, isAck);
    return;
  }
  for (const each of window.entries.keys()) {
    if (each > tag) return;
    settleOne(window, each, isAck);
  }
}

function settleOne(window: Window, tag: number, isAck: boolean): void {
  const entry = window.entries.get(tag);
  if (entry === undefined) return;
  window.entries.delete(tag);
  window.sizeBytes -= entry.sizeBytes;
  entry.cancelDeadline();
  if (!isAck) entry.end('rejected');
  else entry.end(entry.isReturned ? 'unroutable' : 'confirmed');
}

function markReturned(window: Window, message: Message): void {
  const entry = window.entries.get(Number(message.properties.correlationId));
  if (entry !== undefined) entry.isReturned = true;
}
