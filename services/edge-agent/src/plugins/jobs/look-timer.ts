/**
 * Looks again and again while there is something to see, one look at a time.
 *
 * I1. `now()` resolves after a look that began after the call.
 */
export class LookTimer {
  readonly #pauseMs: number;
  /** Whether there was something to see. Never rejects. */
  readonly #look: () => Promise<boolean>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #isStopped = false;

  constructor(pauseMs: number, look: () => Promise<boolean>) {
    this.#pauseMs = pauseMs;
    this.#look = look;
  }

  soon(): void {
    void this.now();
  }

  /** I1 */
  now(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    if (this.#running === undefined) return this.#begin();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#isStopped ? undefined : this.#begin();
    });
    return this.#next;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #begin(): Promise<void> {
    clearTimeout(this.#timer);
    this.#running = this.#look().then((wasBusy) => {
      this.#running = undefined;
      if (this.#isStopped || !wasBusy) return;
      this.#timer = setTimeout(() => this.soon(), this.#pauseMs);
      this.#timer.unref();
    });
    return this.#running;
  }
}
