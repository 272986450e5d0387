/**
 * How many calls of one plugin run at once.
 *
 * I1. A slot is given back exactly once, when the answer is out or the caller is gone.
 * I2. A handler that goes on after its call is over counts as abandoned until it ends; with too many of these the plugin
 *     takes no calls, so that a plugin that hangs does not collect them for ever. They count as their user's, too: nobody
 *     uses the plugin up for the others by leaving early.
 */
import { AppError } from '@gantry/kernel';

export interface CallLimits {
  readonly maxConcurrentCalls: number;
  readonly maxConcurrentCallsPerUser: number;
  readonly maxAbandonedCalls: number;
}

export class CallSlots {
  readonly #limits: CallLimits;
  readonly #perUser = new Map<string, number>();
  #inFlight = 0;
  #abandoned = 0;

  constructor(limits: CallLimits) {
    this.#limits = limits;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get abandoned(): number {
    return this.#abandoned;
  }

  /**
   * @returns gives the slot back
   * @throws {AppError} plugin-busy, too-many-concurrent, plugin-unavailable
   */
  take(user: string): () => void {
    if (this.#abandoned >= this.#limits.maxAbandonedCalls)
      throw new AppError('plugin-unavailable', `${this.#abandoned} earlier calls of the plugin never ended`);
    if (this.#inFlight >= this.#limits.maxConcurrentCalls)
      throw new AppError('plugin-busy', `The plugin answers ${this.#inFlight} calls already`);
    const ofUser = this.#perUser.get(user) ?? 0;
    if (ofUser >= this.#limits.maxConcurrentCallsPerUser)
      throw new AppError('too-many-concurrent', `${ofUser} of your calls to the plugin are still running`);
    this.#inFlight += 1;
    const forget = this.#countFor(user);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#inFlight -= 1;
      forget();
    };
  }

  /** Follows the work of a call that is over for its caller; it still counts as the user's. I2 */
  abandon(user: string, work: Promise<unknown>): void {
    this.#abandoned += 1;
    const forget = this.#countFor(user);
    const end = () => {
      this.#abandoned -= 1;
      forget();
    };
    work.then(end, end);
  }

  #countFor(user: string): () => void {
    this.#perUser.set(user, (this.#perUser.get(user) ?? 0) + 1);
    return () => {
      const left = (this.#perUser.get(user) ?? 1) - 1;
      if (left <= 0) this.#perUser.delete(user);
      else this.#perUser.set(user, left);
    };
  }
}
