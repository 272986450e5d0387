/**
 * What a process did in calls, as its supervisor counts it: so that work between calls can be told from work in calls.
 */
export class CallTally {
  /** Calls so far, the running one included. */
  calls = 0;
  /** Times its program may have booted a thread beside the calls: another function, a fresh realm, a thread replaced. */
  boots = 0;
  readonly #nowMs: () => number;
  #endedBusyMs = 0;
  #sinceMs: number | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #lastFunction = '';

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Wall time in calls so far. */
  get busyMs(): number {
    return this.#endedBusyMs + (this.#sinceMs === undefined ? 0 : this.#nowMs() - this.#sinceMs);
  }

  /** Since its last call ended; 0 while one runs, and without end before the first. */
  get restedMs(): number {
    return this.#sinceMs === undefined ? this.#nowMs() - this.#lastMs : 0;
  }

  begin(functionSha256: string, isFresh: boolean): void {
    this.calls += 1;
    if (isFresh || functionSha256 !== this.#lastFunction) this.boots += 1;
    this.#lastFunction = functionSha256;
    this.#sinceMs = this.#nowMs();
  }

  end(isReplaced: boolean): void {
    if (this.#sinceMs === undefined) return;
    if (isReplaced) this.boots += 1;
    this.#lastMs = this.#nowMs();
    this.#endedBusyMs += this.#lastMs - this.#sinceMs;
    this.#sinceMs = undefined;
  }
}
