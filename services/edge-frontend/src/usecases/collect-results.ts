/**
 * Takes the ends of asynchronous executions from the broker to the store; any edge frontend may take any of them.
 *
 * I1  A result is acknowledged after it is in the store, never before. While the store does not answer it goes back
 *     to the queue, after a pause.
 * I2  The first end wins; a second one changes nothing and is counted.
 */
import {
  type Broker,
  type Consumer,
  type Delivery,
  decodeResult,
  type FinishedMessage,
  queues,
} from '@gantry/broker';
import { fullJitterMs, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { ExecutionStore } from '@gantry/store';
import type { ExecutionSignals } from './execution-signals.js';
import { parseResult } from './parse-result.js';

export interface CollectResultsOptions {
  readonly broker: Broker;
  readonly executions: ExecutionStore;
  readonly signals: ExecutionSignals;
  readonly logger: Logger;
  readonly onEnd: (executionId: string, status: string, isFirst: boolean) => void;
  readonly onUnreadable: () => void;
}

/** Results written at once; more would only wait in memory. */
const prefetch = 16;

export class ResultCollector implements Part {
  readonly name = 'result collector';
  readonly #options: CollectResultsOptions;
  readonly #pauses = new Set<NodeJS.Timeout>();
  #consumer: Consumer | undefined;
  #failures = 0;

  constructor(options: CollectResultsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#consumer = await this.#options.broker.consume(queues.asyncResults, { prefetch }, (delivery) => {
      void this.#take(delivery);
    });
  }

  async stop(): Promise<void> {
    await this.#consumer?.cancel();
    for (const timer of this.#pauses) clearTimeout(timer);
  }

  async #take(delivery: Delivery): Promise<void> {
    const decoded = decodeResult(delivery);
    if (decoded.kind === 'invalid') {
      this.#options.logger.warn('a result cannot be read', {
        messageId: delivery.messageId,
        reason: decoded.reason,
      });
      this.#options.onUnreadable();
      delivery.nack({ requeue: false });
      return;
    }
    const message = decoded.value;
    try {
      if (message.kind === 'progress')
        await this.#options.executions.setProgress(
          message.executionId,
          message.attempt,
          message.progressPerMille,
        );
      if (message.kind === 'finished') await this.#finish(message);
      this.#failures = 0;
      delivery.ack();
    } catch (error) {
      this.#putBack(delivery, error);
    }
  }

  async #finish(message: FinishedMessage): Promise<void> {
    const { status, retCode, res, err } = parseResult(message);
    const isFirst = await this.#options.executions.finish(message.executionId, message.attempt, {
      status,
      retCode,
      res,
      err,
      startedAtMs: message.startedAtMs,
      finishedAtMs: message.finishedAtMs ?? Date.now(),
      logs: message.log.toString('utf8'),
    });
    this.#options.signals.wake(message.executionId);
    this.#options.onEnd(message.executionId, status, isFirst); // I2
  }

  // I1
  #putBack(delivery: Delivery, error: unknown): void {
    this.#failures += 1;
    if (this.#failures === 1)
      this.#options.logger.warn('results cannot be stored', { reason: messageOf(error) });
    const timer = setTimeout(
      () => {
        this.#pauses.delete(timer);
        delivery.nack({ requeue: true });
      },
      100 + fullJitterMs(this.#failures, 100, 5000),
    );
    this.#pauses.add(timer);
  }
}
