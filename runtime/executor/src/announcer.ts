import { type Broker, publishRuntimeStatus } from '@gantry/broker';
import { maxReasonChars, type RuntimeFlavour } from '@gantry/contracts/execution';
import { type Logger, messageOf } from '@gantry/kernel';
import type { Executors, FlavourExecutors } from './start-executors.js';

const publishTimeoutMs = 2000;
/** Looking for a language starts programs: not at every announcement. */
const lookEvery = 10;

export interface AnnouncerOptions {
  readonly broker: Broker;
  readonly logger: Logger;
  readonly runtimeId: string;
  readonly executors: Executors;
  readonly runningOf: (flavour: string) => number;
  readonly everyMs: number;
}

/**
 * Says what this runtime serves: at once, every few seconds, when asked, and when a language that was missing came. A
 * lost announcement is soon made up for, so none is waited for.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  #timer: NodeJS.Timeout | undefined;
  #count = 0;
  #looking: Promise<void> | undefined;
  #isStopped: boolean = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    this.announce();
    this.#timer = setInterval(() => this.#onTimer(), this.#options.everyMs);
    this.#timer.unref();
  }

  /** Never rejects, never waits. */
  announce(): void {
    if (!this.#isStopped) this.#publish(this.#describe());
  }

  /** Says that it serves nothing any more. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#looking;
    if (this.#timer !== undefined) this.#publish([]);
  }

  #onTimer(): void {
    this.#count += 1;
    this.announce();
    if (this.#count % lookEvery === 0) this.#looking ??= this.#look();
  }

  async #look(): Promise<void> {
    try {
      if (await this.#options.executors.lookAgain()) this.announce();
    } catch (error) {
      this.#options.logger.warn('languages could not be looked for', {
        op: 'runtime.announce',
        reason: messageOf(error),
      });
    } finally {
      this.#looking = undefined;
    }
  }

  #publish(flavours: readonly RuntimeFlavour[]): void {
    const { broker, runtimeId } = this.#options;
    void publishRuntimeStatus(broker, { runtimeId, flavours }, { timeoutMs: publishTimeoutMs });
  }

  #describe(): RuntimeFlavour[] {
    const { executors, runningOf } = this.#options;
    return [...executors.flavours.values()].map(({ flavour, isolation, pool }: FlavourExecutors) => ({
      name: flavour.name,
      isolation: isolation.level,
      slots: flavour.slots,
      running: runningOf(flavour.name),
      languages: flavour.languages.map((language) => {
        const state = executors.stateOf(language);
        const reason = state === 'available' ? pool.troubleOf(language) : state.missing;
        if (reason === undefined) return { language, available: true };
        return { language, available: false, reason: reason.slice(0, maxReasonChars) };
      }),
    }));
  }
}
