/**
 * The channel for questions and declarations, apart from publishing: RabbitMQ closes a channel on the first refusal,
 * and unconfirmed publishes would go with it.
 *
 * I1  One operation at a time: a refusal never fails another one.
 * I2  Every operation ends within its deadline; the channel of a late one is given up.
 */
import { AppError, isDeadlineError, messageOf, withDeadline } from '@gantry/kernel';
import type { Channel } from 'amqplib';
import type { AmqpSession } from './amqp-session.js';

const operationTimeoutMs = 5000;
/** More would not be answered in time anyway. */
const maxWaiting = 1000;

export class OperationChannel {
  readonly #session: AmqpSession;
  #channel: Channel | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(session: AmqpSession) {
    this.#session = session;
  }

  /** @throws what the operation rejects with, or a DeadlineError */
  async run<T>(what: string, operation: (channel: Channel) => Promise<T>): Promise<T> {
    if (this.#waiting >= maxWaiting) {
      throw new AppError('broker-unavailable', 'too many operations wait for the message broker');
    }
    this.#waiting += 1;
    const result = this.#tail.then(() => this.#runNow(what, operation));
    this.#tail = result.catch(() => undefined);
    try {
      return await result;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #runNow<T>(what: string, operation: (channel: Channel) => Promise<T>): Promise<T> {
    const work = async () => {
      this.#channel ??= await this.#session.openChannel(() => {
        this.#channel = undefined;
      });
      return operation(this.#channel);
    };
    try {
      return await withDeadline(work(), operationTimeoutMs, what);
    } catch (error) {
      if (isDeadlineError(error)) this.#giveUpChannel();
      throw error;
    }
  }

  #giveUpChannel(): void {
    const channel = this.#channel;
    this.#channel = undefined;
    // Rejected when it closed meanwhile, which is what we want.
    channel?.close().catch(() => undefined);
  }
}

/** The reply code of RabbitMQ (AMQP 0-9-1 section 1.2), or undefined. */
export const replyCodeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;

/** An outside error in our words. */
export const toUnavailable = (what: string, error: unknown): AppError =>
  new AppError('broker-unavailable', `${what} failed: ${messageOf(error)}`, { cause: error });
