/**
 * Reads the queue of dead letters: what runtimes refused, what expired, what was delivered too often. An asynchronous
 * execution among them gets its end; the rest is counted.
 *
 * I1  A dead letter never takes a result away: its end is a compare-and-set like any other.
 * I2  A message that outlived an execution's earlier deadline does not end an execution that was queued again.
 */
import { type Broker, type Consumer, type Delivery, queues } from '@gantry/broker';
import { isTerminal } from '@gantry/contracts';
import { asyncPrefix, type Clock, fullJitterMs, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { ExecutionStore } from '@gantry/store';
import type { ExecutionSignals } from './execution-signals.js';

export interface BuryDeadLettersOptions {
  readonly broker: Broker;
  readonly executions: Pick<ExecutionStore, 'find' | 'finish'>;
  readonly signals: ExecutionSignals;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onDeadLetter: (reason: string) => void;
}

const reasons = ['expired', 'rejected', 'maxlen', 'delivery_limit'] as const;
type Reason = (typeof reasons)[number] | 'unknown';

export class DeadLetterReader implements Part {
  readonly name = 'dead letter reader';
  readonly #options: BuryDeadLettersOptions;
  readonly #pauses = new Set<NodeJS.Timeout>();
  #consumer: Consumer | undefined;
  #failures = 0;

  constructor(options: BuryDeadLettersOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#consumer = await this.#options.broker.consume(queues.dead, { prefetch: 8 }, (delivery) => {
      void this.#take(delivery);
    });
  }

  async stop(): Promise<void> {
    await this.#consumer?.cancel();
    for (const timer of this.#pauses) clearTimeout(timer);
  }

  async #take(delivery: Delivery): Promise<void> {
    const reason = reasonOf(delivery);
    try {
      if (isAsyncRequest(delivery)) await this.#end(delivery.messageId, reason);
      this.#failures = 0;
      this.#options.onDeadLetter(reason);
      // Every call that nobody had time for ends here too: that is no news.
      if (reason !== 'expired')
        this.#options.logger.warn('a message was dead-lettered', { messageId: delivery.messageId, reason });
      delivery.ack();
    } catch (error) {
      this.#failures += 1;
      this.#options.logger.warn('a dead letter cannot be recorded', { reason: messageOf(error) });
      const timer = setTimeout(
        () => {
          this.#pauses.delete(timer);
          delivery.nack({ requeue: true });
        },
        200 + fullJitterMs(this.#failures, 200, 10_000),
      );
      this.#pauses.add(timer);
    }
  }

  async #end(executionId: string, reason: Reason): Promise<void> {
    const { clock, executions, signals } = this.#options;
    const execution = await executions.find(executionId);
    if (execution === undefined || isTerminal(execution.status)) return;
    const nowMs = clock.now();
    if (reason === 'expired' && (execution.status === 'running' || execution.expiresAtMs > nowMs)) return; // I2
    await executions.finish(executionId, 0, {
      status: reason === 'expired' ? 'expired' : 'dead',
      retCode: -1,
      res: undefined,
      err:
        reason === 'expired'
          ? 'The execution waited longer than its queue bound'
          : `No runtime could take the execution from its queue (${reason})`,
      startedAtMs: undefined,
      finishedAtMs: nowMs,
      logs: '',
    });
    signals.wake(executionId);
  }
}

/** Requests keep their key `<flavour>.async`; results, whose key is `async.<id>`, say nothing of a run that goes on. */
const isAsyncRequest = ({ messageId, routingKey }: Delivery): boolean =>
  routingKey.endsWith(`.${asyncPrefix}`) && messageId.startsWith(`${asyncPrefix}.`);

const reasonOf = ({ headers }: Delivery): Reason => {
  const reason = headers['x-first-death-reason'];
  return reasons.find((known) => known === reason) ?? 'unknown';
};
