import { GantryError } from './gantry-error.js';

/** Longest that a body may stand still, either way. */
const stallMs = 120_000;

/** Ends an exchange in which no byte moves: bodies take as long as they take, so nothing else has a time limit. */
export class StallWatch {
  readonly #abort = new AbortController();
  readonly #url: string;
  readonly #outer: AbortSignal | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(url: string, outer: AbortSignal | undefined) {
    this.#url = url;
    this.#outer = outer;
    if (outer?.aborted === true) this.#onOuter();
    else outer?.addEventListener('abort', this.#onOuter, { once: true });
    this.moved();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** A byte moved. */
  moved(): void {
    // A piece may still be under way when the exchange is over.
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const detail = `${this.#url}: no byte has moved for ${stallMs} ms`;
      this.#abort.abort(new GantryError({ code: 'timeout', url: this.#url, detail }));
    }, stallMs);
  }

  /** Always called in the end. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onOuter);
  }

  readonly #onOuter = (): void => this.#abort.abort(this.#outer?.reason);
}
