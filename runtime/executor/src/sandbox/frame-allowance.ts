/** More at once than any program sends: progress comes twice a second at most, late frames once or twice a call. */
const burst = 64;
/** Each call brings its own first frames. */
const perCall = 8;
const perSecond = 4;

/** A process sent so many frames that reading them would take the time of others. */
export class FrameFloodError extends RangeError {}

/**
 * How many frames a process may still send that nothing else bounds: progress, and frames of calls that are over. What
 * has its place in a call (code, phases, the end) is bounded by the call itself and does not count.
 */
export class FrameAllowance {
  readonly #nowMs: () => number;
  #left = burst;
  #atMs: number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#atMs = nowMs();
  }

  /** A call starts. */
  grow(): void {
    this.#left = Math.min(burst, this.#left + perCall);
  }

  /** @throws {FrameFloodError} when there is none left */
  take(): void {
    const nowMs = this.#nowMs();
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#atMs) / 1000) * perSecond) - 1;
    this.#atMs = nowMs;
    if (this.#left < 0) throw new FrameFloodError('the executor sent more frames than it may');
  }
}
