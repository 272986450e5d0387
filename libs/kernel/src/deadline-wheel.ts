/**
 * One timer for many deadlines: a timer per request costs more than the request. Entries fire up to one tick late.
 */
export class DeadlineWheel {
  readonly #tickMs: number;
  readonly #slots = new Map<number, Set<() => void>>();
  #timer: NodeJS.Timeout | undefined;
  #lastTick: number;

  constructor(tickMs = 50) {
    this.#tickMs = tickMs;
    this.#lastTick = this.#tickOf(performance.now());
  }

  /** Calls `onDue` once after `delayMs` unless the returned function is called first. */
  schedule(delayMs: number, onDue: () => void): () => void {
    const tick = this.#tickOf(performance.now() + Math.max(0, delayMs)) + 1;
    let slot = this.#slots.get(tick);
    if (slot === undefined) {
      slot = new Set();
      this.#slots.set(tick, slot);
    }
    // A closure of its own, so that the same callback can wait twice.
    const entry = () => onDue();
    slot.add(entry);
    this.#run();
    return () => {
      const current = this.#slots.get(tick);
      if (current?.delete(entry) === true && current.size === 0) this.#slots.delete(tick);
    };
  }

  /** Forgets every entry. */
  clear(): void {
    this.#slots.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tickOf(ms: number): number {
    return Math.floor(ms / this.#tickMs);
  }

  #run(): void {
    if (this.#timer !== undefined) return;
    this.#lastTick = this.#tickOf(performance.now()) - 1;
    this.#timer = setInterval(() => this.#advance(), this.#tickMs);
    this.#timer.unref();
  }

  #advance(): void {
    const now = this.#tickOf(performance.now());
    for (let tick = this.#lastTick + 1; tick <= now; tick += 1) {
      const slot = this.#slots.get(tick);
      if (slot === undefined) continue;
      this.#slots.delete(tick);
      for (const entry of slot) entry();
    }
    this.#lastTick = now;
    if (this.#slots.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }
}
