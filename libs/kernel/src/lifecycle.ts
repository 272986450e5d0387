import { withDeadline } from './deadline.js';

/** Something that is started once and stopped once. */
export interface Part {
  readonly name: string;
  start?(): Promise<void> | void;
  stop?(): Promise<void> | void;
}

/**
 * Starts parts in order and stops them in reverse. A failed start stops what had started and rethrows;
 * a failing or slow stop never keeps the others from being stopped.
 *
 * I1. Whatever finished starting is stopped exactly once, also when the stop comes in the middle of a start.
 * I2. Nothing is started after a stop was asked for.
 */
export class Lifecycle {
  readonly #started: Part[] = [];
  readonly #onStopError: (part: string, error: unknown) => void;
  readonly #stopTimeoutMs: number;
  #starting: { readonly name: string; readonly done: Promise<void> } | undefined;
  #stopping: Promise<void> | undefined;

  constructor(
    options: { onStopError?: (part: string, error: unknown) => void; stopTimeoutMs?: number } = {},
  ) {
    this.#onStopError = options.onStopError ?? (() => undefined);
    this.#stopTimeoutMs = options.stopTimeoutMs ?? 4000;
  }

  /**
   * @throws whatever the first failing part throws, after the started ones were stopped; an Error when it was
   * stopped meanwhile
   */
  async start(parts: readonly Part[]): Promise<void> {
    for (const part of parts) {
      // I2
      if (this.#stopping !== undefined) throw new Error(`Stopped before ${part.name} was started`);
      try {
        await this.#startPart(part);
      } catch (error) {
        await this.stop();
        throw error;
      }
    }
  }

  /** Stops everything once; later calls wait for the first. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #startPart(part: Part): Promise<void> {
    const run = async () => {
      await part.start?.();
      this.#started.push(part);
    };
    const done = run();
    this.#starting = { name: part.name, done: done.catch(() => undefined) };
    try {
      await done;
    } finally {
      this.#starting = undefined;
    }
  }

  async #stopAll(): Promise<void> {
    // I1: a part that is just starting is waited for, and stopped with the others.
    const starting = this.#starting;
    if (starting !== undefined) await this.#attempt(starting.name, 'starting', () => starting.done);
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) {
      const stopping = part;
      await this.#attempt(part.name, 'stopping', () => stopping.stop?.());
    }
  }

  async #attempt(name: string, verb: string, work: () => Promise<void> | void): Promise<void> {
    try {
      await withDeadline(Promise.resolve(work()), this.#stopTimeoutMs, `${verb} ${name}`);
    } catch (error) {
      this.#onStopError(name, error);
    }
  }
}
