import { type Broker, encodeResult, type FinishedMessage, type ResultMessage } from '@gantry/broker';
import { type Clock, delay, fullJitterMs, type Logger } from '@gantry/kernel';

/** One attempt; RabbitMQ confirms in milliseconds unless it is down or blocked. */
const confirmTimeoutMs = 5000;
const retryBaseMs = 50;
const retryMaxMs = 2000;

/** `delivered`: a queue took it. `nobody`: whom it was for is gone. `not-taken`: the broker did not, until the end. */
export type PublishedResult = 'delivered' | 'nobody' | 'not-taken';

/** Hands results to the broker. */
export class ResultPublisher {
  readonly #broker: Broker;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(deps: { broker: Broker; clock: Clock; logger: Logger }) {
    this.#broker = deps.broker;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
  }

  /** Says how far an execution is; lost if the broker is not there, because nothing depends on it. */
  notify(message: Exclude<ResultMessage, FinishedMessage>): void {
    // Never rejects (I2 of the port).
    void this.#broker.publish(encodeResult(message), { timeoutMs: confirmTimeoutMs });
  }

  /** Retries with backoff until `untilMs` (epoch), at least once. */
  async finish(message: FinishedMessage, untilMs: number, signal: AbortSignal): Promise<PublishedResult> {
    const outgoing = encodeResult(message);
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.#broker.publish(outgoing, { timeoutMs: confirmTimeoutMs });
      if (outcome === 'confirmed') return 'delivered';
      if (outcome === 'unroutable') {
        this.#logger.info('nobody waits for a result any more', {
          op: 'result.publish',
          execution_id: message.executionId,
        });
        return 'nobody';
      }
      const pauseMs = retryBaseMs + fullJitterMs(attempt, retryBaseMs, retryMaxMs);
      if (this.#clock.now() + pauseMs > untilMs || signal.aborted) return 'not-taken';
      await delay(pauseMs, signal).catch(() => undefined);
    }
  }
}
