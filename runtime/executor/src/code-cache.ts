import { LRUCache } from 'lru-cache';
import type { PayloadSource } from './ports.js';

const fetchTimeoutMs = 10_000;

/** Function code by sha256: fetched once, also when several calls ask at the same time; bounded in bytes. */
export class CodeCache {
  readonly #payloads: PayloadSource;
  readonly #codes: LRUCache<string, Buffer>;
  readonly #fetching = new Map<string, Promise<Buffer>>();

  constructor(payloads: PayloadSource, maxBytes: number) {
    this.#payloads = payloads;
    this.#codes = new LRUCache({ maxSize: maxBytes, sizeCalculation: (code) => Math.max(1, code.length) });
  }

  /** @throws {AppError} as {@link PayloadSource.fetch} */
  get(sha256: string): Promise<Buffer> {
    const known = this.#codes.get(sha256);
    if (known !== undefined) return Promise.resolve(known);
    const fetching = this.#fetching.get(sha256) ?? this.#fetch(sha256);
    return fetching;
  }

  async #fetch(sha256: string): Promise<Buffer> {
    const fetching = this.#payloads.fetch(sha256, { timeoutMs: fetchTimeoutMs });
    this.#fetching.set(sha256, fetching);
    try {
      const code = await fetching;
      this.#codes.set(sha256, code);
      return code;
    } finally {
      this.#fetching.delete(sha256);
    }
  }
}
