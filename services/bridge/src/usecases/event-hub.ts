/**
 * Hands events of nodes to those who may see them.
 *
 * I1. A reader gets events only of nodes that it has a right to at that moment, and only those meant for it.
 * I2. A reader that is too slow loses the oldest of what waits for it, and is told how many; it delays nobody and costs
 *     at most `maxWaiting` events and `maxWaitingBytes`.
 * I3. The last `maxRecent` events can be read again by their id, while the bridge runs.
 */
import { randomBytes } from 'node:crypto';
import type { NodeEvent, Principal } from '@gantry/contracts';
import { isAdministrator } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { NodeAccess } from './resolve-rights.js';
import { resolveRights } from './resolve-rights.js';

export interface HubEvent {
  /** Grows; unique among the lives of the hub. */
  readonly id: string;
  readonly value: Exclude<NodeEvent, { kind: 'gap' }>;
}
export type HubItem =
  | HubEvent
  | { readonly id: undefined; readonly value: Extract<NodeEvent, { kind: 'gap' }> };

export interface HubLimits {
  readonly maxReaders: number;
  readonly maxReadersPerUser: number;
}

const maxWaiting = 1000;
const maxWaitingBytes = 4 * 1024 * 1024;
const maxRecent = 2000;
const maxRecentBytes = 16 * 1024 * 1024;

interface Kept {
  readonly event: HubEvent;
  readonly bytes: number;
}

export class EventHub {
  readonly #accessOf: (node: string) => NodeAccess | undefined;
  readonly #limits: HubLimits;
  readonly #life = randomBytes(4).toString('hex');
  readonly #readers = new Set<Reader>();
  readonly #recent: Kept[] = [];
  #recentBytes = 0;
  #count = 0;

  /** @param accessOf what is known at once of who may see a node */
  constructor(accessOf: (node: string) => NodeAccess | undefined, limits: HubLimits) {
    this.#accessOf = accessOf;
    this.#limits = limits;
  }

  get readers(): number {
    return this.#readers.size;
  }

  publish(value: HubEvent['value']): void {
    this.#count += 1;
    const event = { id: `${this.#life}-${this.#count}`, value };
    const kept = {
      event,
      bytes: value.kind === 'event' ? JSON.stringify(value.event.data ?? null).length + 200 : 200,
    };
    this.#recent.push(kept);
    this.#recentBytes += kept.bytes;
    while (this.#recent.length > maxRecent || this.#recentBytes > maxRecentBytes)
      this.#recentBytes -= this.#recent.shift()?.bytes ?? 0;
    for (const reader of this.#readers) if (this.maySee(reader.principal, value)) reader.push(kept);
  }

  /**
   * The events after `lastId` that are still here, then every new one, until the signal aborts.
   * @throws {AppError} too-many-concurrent
   */
  read(
    principal: Principal,
    options: { readonly lastId?: string | undefined; readonly signal: AbortSignal },
  ): AsyncGenerator<HubItem> {
    const own = [...this.#readers].filter((one) => one.principal.user === principal.user).length;
    if (this.#readers.size >= this.#limits.maxReaders || own >= this.#limits.maxReadersPerUser)
      throw new AppError('too-many-concurrent', 'There are too many readers of events');
    const reader = new Reader(principal);
    this.#readers.add(reader);
    for (const kept of this.#after(options.lastId))
      if (this.maySee(principal, kept.event.value)) reader.push(kept);
    options.signal.addEventListener('abort', () => this.#end(reader), { once: true });
    if (options.signal.aborted) this.#end(reader);
    return reader.items();
  }

  close(): void {
    for (const reader of this.#readers) this.#end(reader);
  }

  /** I1 */
  maySee(principal: Principal, value: HubEvent['value']): boolean {
    const access = this.#accessOf(value.node);
    if (access === undefined || resolveRights(principal, access).length === 0) return false;
    if (value.kind !== 'event' || value.event.audience === null) return true;
    return value.event.audience === principal.user || isAdministrator(principal);
  }

  /** I3; an unknown id reads nothing again. */
  #after(lastId: string | undefined): readonly Kept[] {
    if (lastId === undefined) return [];
    const [life, count] = lastId.split('-');
    if (life !== this.#life) return this.#recent;
    const first = this.#count - this.#recent.length + 1;
    return this.#recent.slice(Math.max(0, Number(count) + 1 - first));
  }

  #end(reader: Reader): void {
    this.#readers.delete(reader);
    reader.end();
  }
}

class Reader {
  readonly principal: Principal;
  #waiting: Kept[] = [];
  #bytes = 0;
  #dropped = 0;
  #isEnded = false;
  #wake: () => void = () => undefined;

  constructor(principal: Principal) {
    this.principal = principal;
  }

  /** I2 */
  push(kept: Kept): void {
    this.#waiting.push(kept);
    this.#bytes += kept.bytes;
    while (this.#waiting.length > maxWaiting || this.#bytes > maxWaitingBytes) {
      this.#bytes -= this.#waiting.shift()?.bytes ?? 0;
      this.#dropped += 1;
    }
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async *items(): AsyncGenerator<HubItem> {
    while (!this.#isEnded) {
      if (this.#dropped > 0) {
        const dropped = this.#dropped;
        this.#dropped = 0;
        yield { id: undefined, value: { kind: 'gap', dropped } };
      }
      const next = this.#waiting.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#bytes -= next.bytes;
      yield next.event;
    }
  }
}
