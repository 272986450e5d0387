/**
 * Which flavours have a live runtime, by the consumers of their queues.
 *
 * I1  Known without asking: a call looks at the last poll. Only a call that would be refused asks again, one question
 *     at a time, because a runtime may have come since.
 * I2  A flavour is lost when two looks, `confirmMs` apart, found no consumer while the broker was connected: a single
 *     look may fall between a runtime and its replacement, or into a reconnect. Both looks together take less than a
 *     second, so that a queued call hears of it within one.
 */
import { type Broker, type QueueState, queues } from '@gantry/broker';
import { type ExecutionMode, executionModes } from '@gantry/contracts';
import { AppError, type Clock, type Logger, messageOf, type Part, withDeadline } from '@gantry/kernel';

export interface FlavourState {
  readonly sync: QueueState;
  readonly async: QueueState;
  /** Monotonic. */
  readonly seenMs: number;
}

export interface FlavourWatchOptions {
  readonly broker: Broker;
  readonly flavours: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Nobody takes what is queued for this flavour. */
  readonly onLost: (flavour: string) => void;
  readonly pollMs?: number;
  readonly confirmMs?: number;
  /** How long a flavour without a runtime still counts as ready: a worker is being replaced. */
  readonly hysteresisMs?: number;
}

const none: QueueState = { messages: 0, consumers: 0 };
const inspectTimeoutMs = 1000;
/** A poll that failed for this long says nothing any more. */
const staleMs = 3000;

export class FlavourWatch implements Part {
  readonly name = 'flavour watch';
  readonly #options: Required<FlavourWatchOptions>;
  readonly #states = new Map<string, FlavourState>();
  readonly #lastLiveMs = new Map<string, number>();
  readonly #looks = new Map<string, Promise<FlavourState>>();
  readonly #suspects = new Map<string, NodeJS.Timeout>();
  readonly #lost = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;

  constructor(options: FlavourWatchOptions) {
    this.#options = { pollMs: 500, confirmMs: 200, hysteresisMs: 5000, ...options };
  }

  async start(): Promise<void> {
    await this.#poll();
    this.#timer = setInterval(() => void this.#poll(), this.#options.pollMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const timer of this.#suspects.values()) clearTimeout(timer);
    this.#suspects.clear();
  }

  stateOf(flavour: string): FlavourState | undefined {
    return this.#states.get(flavour);
  }

  /** Flavours with a live runtime, in the order of the configuration. */
  liveFlavours(): string[] {
    return this.#options.flavours.filter((flavour) => (this.#states.get(flavour)?.sync.consumers ?? 0) > 0);
  }

  /** Runtimes, over all flavours: what can run at once. */
  capacity(): number {
    return this.#options.flavours.reduce(
      (sum, flavour) => sum + (this.#states.get(flavour)?.sync.consumers ?? 0),
      0,
    );
  }

  /** Flavours that have had no runtime for longer than a replacement takes. */
  missingFlavours(): string[] {
    const nowMs = this.#options.clock.monotonicMs();
    return this.#options.flavours.filter(
      (flavour) => nowMs - (this.#lastLiveMs.get(flavour) ?? -Infinity) > this.#options.hysteresisMs,
    );
  }

  /**
   * Answers at once when the last poll saw a runtime (I1).
   * @throws {AppError} no-runtime-for-flavour, broker-unavailable
   */
  requireRuntime(flavour: string, mode: ExecutionMode): void | Promise<void> {
    const { broker, flavours, clock } = this.#options;
    if (broker.status !== 'connected')
      throw new AppError('broker-unavailable', `The broker is ${broker.status}`);
    if (!flavours.includes(flavour)) throw noRuntime(flavour);
    const state = this.#states.get(flavour);
    const isKnown = state !== undefined && clock.monotonicMs() - state.seenMs < staleMs;
    if (isKnown && state[mode].consumers > 0) return;
    return this.#requireNow(flavour, mode);
  }

  async #requireNow(flavour: string, mode: ExecutionMode): Promise<void> {
    let state: FlavourState;
    try {
      state = await this.#look(flavour);
    } catch (error) {
      throw new AppError('broker-unavailable', 'The broker does not say which runtimes there are', {
        cause: error,
      });
    }
    if (state[mode].consumers === 0) throw noRuntime(flavour);
  }

  async #poll(): Promise<void> {
    if (this.#options.broker.status !== 'connected') return;
    const looks = await Promise.allSettled(this.#options.flavours.map((flavour) => this.#look(flavour)));
    const failed = looks.find((look) => look.status === 'rejected');
    if (failed !== undefined && !this.#isFailing)
      this.#options.logger.warn('flavours cannot be inspected', { reason: messageOf(failed.reason) });
    this.#isFailing = failed !== undefined;
  }

  /** Asks the broker; one question at a time for a flavour. */
  #look(flavour: string): Promise<FlavourState> {
    let look = this.#looks.get(flavour);
    if (look === undefined) {
      look = this.#inspect(flavour).finally(() => this.#looks.delete(flavour));
      this.#looks.set(flavour, look);
    }
    return look;
  }

  async #inspect(flavour: string): Promise<FlavourState> {
    const { broker, clock } = this.#options;
    const [sync, async] = await withDeadline(
      Promise.all(executionModes.map((mode) => broker.inspect(queues.execute(flavour, mode)))),
      inspectTimeoutMs,
      'inspecting queues',
    );
    const state = { sync: sync ?? none, async: async ?? none, seenMs: clock.monotonicMs() };
    this.#states.set(flavour, state);
    if (state.sync.consumers > 0) this.#noteLive(flavour);
    else this.#suspect(flavour);
    return state;
  }

  #noteLive(flavour: string): void {
    this.#lastLiveMs.set(flavour, this.#options.clock.monotonicMs());
    this.#lost.delete(flavour);
    clearTimeout(this.#suspects.get(flavour));
    this.#suspects.delete(flavour);
  }

  // I2
  #suspect(flavour: string): void {
    if (this.#lost.has(flavour)) {
      // A call may have been published between two looks.
      this.#options.onLost(flavour);
      return;
    }
    if (this.#suspects.has(flavour)) return;
    const timer = setTimeout(() => void this.#confirmLost(flavour), this.#options.confirmMs);
    this.#suspects.set(flavour, timer);
  }

  async #confirmLost(flavour: string): Promise<void> {
    try {
      const state = await this.#look(flavour);
      if (state.sync.consumers > 0) return;
      this.#lost.add(flavour);
      this.#options.onLost(flavour);
    } catch {
      // The broker does not answer: nothing is known. The next poll starts again.
    } finally {
      this.#suspects.delete(flavour);
    }
  }
}

const noRuntime = (flavour: string): AppError =>
  new AppError(
    'no-runtime-for-flavour',
    `No runtime serves the flavour "${flavour.slice(0, 128)}"; start one (gantry runtime start ${flavour.slice(0, 128)}), or correct FLAVOUR`,
  );
