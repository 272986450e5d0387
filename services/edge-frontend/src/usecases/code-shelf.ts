/**
 * Sees to it that a function's code is in the payload store before a runtime asks for it.
 *
 * I1  A call of a function that was called within the hour asks nobody.
 * I2  What is used stays: it is put again every `refreshMs`, long before a purge would take it.
 */
import { createHash } from 'node:crypto';
import { AppError, type Clock } from '@gantry/kernel';
import type { PayloadStore, StoredFunction } from '@gantry/store';
import { LRUCache } from 'lru-cache';
import type { CloudLink, DocumentReader } from '../ports.js';

export interface CodeShelfOptions {
  readonly payloads: PayloadStore;
  readonly cloud: Pick<CloudLink, 'readCode'>;
  readonly clock: Clock;
  readonly refreshMs?: number;
}

export class CodeShelf {
  readonly #options: Required<CodeShelfOptions>;
  /** Monotonic time of the last put by sha256. */
  readonly #shelved = new LRUCache<string, number>({ max: 10_000 });
  readonly #puts = new Map<string, Promise<void>>();

  constructor(options: CodeShelfOptions) {
    this.#options = { refreshMs: 3_600_000, ...options };
  }

  /**
   * Answers at once when the code is there.
   * @throws {AppError} document-not-found, cloud-unavailable, store-unavailable
   */
  ensure(fn: StoredFunction, reader: DocumentReader): void | Promise<void> {
    const putMs = this.#shelved.get(fn.sha256);
    if (putMs !== undefined && this.#options.clock.monotonicMs() - putMs < this.#options.refreshMs) return;
    // The cloud answers by token: another account's refusal says nothing.
    const key = `${fn.sha256} ${reader.principal.user}`;
    let put = this.#puts.get(key);
    if (put === undefined) {
      put = this.#put(fn, reader).finally(() => this.#puts.delete(key));
      this.#puts.set(key, put);
    }
    return put;
  }

  /** What the store has is as good as what the cloud has: both are named by their own hash. */
  async #put(fn: StoredFunction, reader: DocumentReader): Promise<void> {
    const { payloads, cloud, clock } = this.#options;
    const code = (await payloads.get(fn.sha256)) ?? (await cloud.readCode(fn.id, reader));
    if (code === undefined)
      throw new AppError('document-not-found', `There is no function ${fn.id} of yours`);
    if (createHash('sha256').update(code).digest('hex') !== fn.sha256)
      throw new AppError('internal-error', `The code of function ${fn.id} is not what its document says`);
    await payloads.put(code, clock.now());
    this.#shelved.set(fn.sha256, clock.monotonicMs());
  }
}
