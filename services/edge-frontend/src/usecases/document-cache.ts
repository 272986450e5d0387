/**
 * Functions and requirements, as the cloud frontend knows them, without asking it on every call.
 *
 * I1  Whose a document is, is looked at on every call; a foreign one, one of another type and one that does not exist
 *     are the same 404.
 * I2  While the cloud answers, nothing older than `freshMs` is used: from `renewMs` on it is read again behind the
 *     call, from `freshMs` on before it. While it does not answer, what is known is used for up to `staleMs`.
 * I3  What was not found is not remembered: a function can be called right after its upload.
 * I4  One read at a time for a document and an account. (Another account's answer says nothing: the cloud hides
 *     foreign documents.)
 */
import { mayAccess } from '@gantry/contracts';
import { AppError, type Clock, hasCode } from '@gantry/kernel';
import type { Found } from '@gantry/store';
import { LRUCache } from 'lru-cache';
import type { DocumentReader } from '../ports.js';

export interface DocumentCacheOptions<T> {
  /** `function`, `requirement`: for the problem's detail. */
  readonly kind: string;
  readonly read: (id: number, reader: DocumentReader) => Promise<Found<T>>;
  readonly ownerOf: (document: T) => string;
  readonly clock: Clock;
  readonly staleMs: number;
  readonly renewMs?: number;
  readonly freshMs?: number;
  readonly maxDocuments?: number;
}

interface Entry<T> {
  readonly document: T;
  /** Monotonic: when the cloud last said that it is so. */
  confirmedMs: number;
  /** Monotonic: when the cloud last did not answer. */
  failedMs: number;
}

export class DocumentCache<T> {
  readonly #options: Required<DocumentCacheOptions<T>>;
  readonly #entries: LRUCache<number, Entry<T>>;
  readonly #reads = new Map<string, Promise<T | undefined>>();

  constructor(options: DocumentCacheOptions<T>) {
    this.#options = { renewMs: 2500, freshMs: 5000, maxDocuments: 10_000, ...options };
    this.#entries = new LRUCache({ max: this.#options.maxDocuments });
  }

  /**
   * Answers at once what is fresh.
   * @throws {AppError} document-not-found, cloud-unavailable, and what the cloud says of the token
   */
  find(id: number, reader: DocumentReader): T | Promise<T> {
    const entry = this.#entries.get(id);
    if (entry === undefined)
      return this.#read(id, reader).then((document) => document ?? this.#throwMissing(id));
    if (!mayAccess(reader.principal, this.#options.ownerOf(entry.document))) return this.#throwMissing(id); // I1
    const ageMs = this.#options.clock.monotonicMs() - entry.confirmedMs;
    if (ageMs < this.#options.renewMs) return entry.document;
    if (ageMs < this.#options.freshMs) {
      // I2: its outcome is in the cache, or the call at `freshMs` meets the failure.
      this.#read(id, reader).catch(() => undefined);
      return entry.document;
    }
    return this.#confirm(id, entry, ageMs, reader);
  }

  /** I2: past `freshMs`. */
  async #confirm(id: number, entry: Entry<T>, ageMs: number, reader: DocumentReader): Promise<T> {
    const { clock, freshMs, staleMs } = this.#options;
    const mayServeStale = ageMs < staleMs;
    const isCloudDown = clock.monotonicMs() - entry.failedMs < freshMs;
    if (isCloudDown && mayServeStale) {
      this.#read(id, reader).catch(() => undefined);
      return entry.document;
    }
    try {
      return (await this.#read(id, reader)) ?? this.#throwMissing(id);
    } catch (error) {
      if (!hasCode(error, 'cloud-unavailable') || !mayServeStale) throw error;
      return entry.document;
    }
  }

  #read(id: number, reader: DocumentReader): Promise<T | undefined> {
    const key = `${id} ${reader.principal.user} ${reader.principal.role}`;
    let read = this.#reads.get(key);
    if (read === undefined) {
      read = this.#readOnce(id, reader).finally(() => this.#reads.delete(key));
      this.#reads.set(key, read);
    }
    return read;
  }

  async #readOnce(id: number, reader: DocumentReader): Promise<T | undefined> {
    const { clock, read } = this.#options;
    try {
      const found = await read(id, reader);
      if (found.kind !== 'found') {
        this.#entries.delete(id); // I3
        return undefined;
      }
      this.#entries.set(id, {
        document: found.document,
        confirmedMs: clock.monotonicMs(),
        failedMs: -Infinity,
      });
      return found.document;
    } catch (error) {
      const entry = this.#entries.peek(id);
      if (entry !== undefined && hasCode(error, 'cloud-unavailable')) entry.failedMs = clock.monotonicMs();
      throw error;
    }
  }

  #throwMissing(id: number): never {
    throw new AppError('document-not-found', `There is no ${this.#options.kind} ${id} of yours`);
  }
}
