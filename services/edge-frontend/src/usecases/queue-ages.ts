import { type Clock, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { ExecutionStore } from '@gantry/store';

export interface QueueAgesOptions {
  readonly flavours: readonly string[];
  readonly executions: Pick<ExecutionStore, 'oldestQueuedAtMs'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pollMs?: number;
}

/**
 * How long the oldest queued asynchronous execution of each flavour has waited, as the store last said: the broker
 * knows how many wait, not since when. One round of questions at a time; a failure keeps what was known.
 */
export class QueueAges implements Part {
  readonly name = 'queue ages';
  readonly #options: Required<QueueAgesOptions>;
  readonly #sinceMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #isFailing = false;

  constructor(options: QueueAgesOptions) {
    this.#options = { pollMs: 2000, ...options };
  }

  start(): void {
    void this.poll();
    this.#timer = setInterval(() => void this.poll(), this.#options.pollMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }

  /** 0 when none waits. */
  ageSeconds(flavour: string): number {
    const sinceMs = this.#sinceMs.get(flavour);
    return sinceMs === undefined ? 0 : Math.max(0, this.#options.clock.now() - sinceMs) / 1000;
  }

  /** Asks the store now, or waits for the round that is under way. Never rejects. */
  poll(): Promise<void> {
    this.#round ??= this.#ask().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #ask(): Promise<void> {
    const { executions, flavours, logger } = this.#options;
    try {
      for (const flavour of flavours) {
        const sinceMs = await executions.oldestQueuedAtMs(flavour);
        if (sinceMs === undefined) this.#sinceMs.delete(flavour);
        else this.#sinceMs.set(flavour, sinceMs);
      }
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) logger.warn('queue ages cannot be read', { reason: messageOf(error) });
      this.#isFailing = true;
    }
  }
}
