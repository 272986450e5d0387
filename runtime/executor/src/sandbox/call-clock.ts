/** What a call may take beyond its own time, so that its end (and the grace its signal gets) can reach us. */
const overstayMs = 1000;
/** The time before a process asks for code is not run time, up to this: on a busy machine it may wake up late. */
const askWithinMs = 1000;

/**
 * How long one call may take. Its run time counts from its start, except while the process waits for something that
 * comes before the run.
 *
 * I1  What does not count is measured here and bounded for each wait, whatever the process says: a process that says
 *     that it waits, and runs meanwhile, gains that bound once and nothing more.
 */
export class CallClock {
  readonly #runMs: number;
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  #notCountedMs = 0;
  #wait: { readonly sinceMs: number; readonly withinMs: number } | undefined;

  constructor(runMs: number, nowMs: () => number = () => performance.now()) {
    this.#runMs = runMs;
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
  }

  get elapsedMs(): number {
    return this.#nowMs() - this.#startedMs;
  }

  get isWaiting(): boolean {
    return this.#wait !== undefined;
  }

  /** The run has not begun, and code is on its way. */
  waitForCode(withinMs: number): void {
    this.#notCountedMs += Math.min(this.elapsedMs, askWithinMs);
    this.#wait = { sinceMs: this.#nowMs(), withinMs };
  }

  waitForBoot(withinMs: number): void {
    this.#wait = { sinceMs: this.#nowMs(), withinMs };
  }

  /** What it waited for is there. */
  go(): void {
    if (this.#wait === undefined) return;
    const { sinceMs, withinMs } = this.#wait;
    this.#notCountedMs += Math.min(this.#nowMs() - sinceMs, withinMs); // I1
    this.#wait = undefined;
  }

  /** Until the wait, or the run when there is none, has to be over. May be negative. */
  get leftMs(): number {
    if (this.#wait !== undefined) return this.#wait.sinceMs + this.#wait.withinMs - this.#nowMs();
    return this.#runMs + overstayMs + this.#notCountedMs - this.elapsedMs;
  }
}
