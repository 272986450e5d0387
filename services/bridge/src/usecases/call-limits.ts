import { AppError } from '@gantry/kernel';

/** Calls to nodes that are under way, in all and by account. */
export class CallLimits {
  readonly #maxAll: number;
  readonly #maxPerUser: number;
  readonly #byUser = new Map<string, number>();
  #all = 0;

  constructor(maxAll: number, maxPerUser: number) {
    this.#maxAll = maxAll;
    this.#maxPerUser = maxPerUser;
  }

  get inFlight(): number {
    return this.#all;
  }

  /** Answers what to call once the call has ended. @throws {AppError} too-many-concurrent, node-busy */
  take(user: string): () => void {
    const own = this.#byUser.get(user) ?? 0;
    if (own >= this.#maxPerUser)
      throw new AppError(
        'too-many-concurrent',
        `${own} of your calls to nodes are under way, as many as may be`,
      );
    if (this.#all >= this.#maxAll)
      throw new AppError('node-busy', `The bridge has ${this.#all} calls under way, as many as it takes`);
    this.#byUser.set(user, own + 1);
    this.#all += 1;
    let isGivenBack = false;
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      this.#all -= 1;
      const left = (this.#byUser.get(user) ?? 1) - 1;
      if (left === 0) this.#byUser.delete(user);
      else this.#byUser.set(user, left);
    };
  }
}
