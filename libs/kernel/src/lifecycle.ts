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
 */
export class Lifecycle {
  readonly #started: Part[] = [];
  readonly #onStopError: (part: string, error: unknown) => void;
  readonly #stopTimeoutMs: number;
  #stopping: Promise<void> | undefined;

  constructor(options: { onStopError?: (part: string, error: unknown) => void; stopTimeoutMs?: number } = {}) {
    this.#onStopError = options.onStopError ?? (() => undefined);
    this.#stopTimeoutMs = options.stopTimeoutMs ?? 4000;
  }

  /** @throws whatever the first failing part throws, after the started ones were stopped */
  async start(parts: readonly Part[]): Promise<void> {
    for (const part of parts) {
      try {
        await part.start?.();
        this.#started.push(part);
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

  async #stopAll(): Promise<void> {
    for (const part of this.#started.reverse()) {
      try {
        await withDeadline(Promise.resolve(part.stop?.()), this.#stopTimeoutMs, `stopping ${part.name}`);
      } catch (error) {
        this.#onStopError(part.name, error);
      }
    }
  }
}
