/**
 * Hands events of nodes to those who may see them.
 *
 * I1. A reader gets events only of nodes, and of plugins there, that it has a right to at that moment, and only those
 *     meant for it. Of an original edge, which says of no event whom it is for, that takes the right to the whole plugin.
 * I2. A reader that is too slow loses the oldest of what waits for it, and is told how many; it delays nobody and costs
 *     at most `maxWaiting` events and `maxWaitingBytes`.
 * I3. The last events of each node can be read again by their id, while the bridge runs; who was away for longer, or
 *     comes from another life of it, is told that there is a gap.
 */
import { randomBytes } from 'node:crypto';
import type { NodeEvent, Principal } from '@gantry/contracts';
import { isAdministrator } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { EdgeNode } from '@gantry/store';
import { EventWindows, type HubEvent, type KeptEvent } from './event-windows.js';
import type { NodeAccess } from './resolve-rights.js';
import { concernsPlugin, coversPlugin, familyOf, resolveRights } from './resolve-rights.js';

export type HubItem =
  | HubEvent
  | { readonly id: undefined; readonly value: Extract<NodeEvent, { kind: 'gap' }> };

/** What decides who may see events of a node. */
export type EventAccess = NodeAccess & Partial<Pick<EdgeNode, 'kind' | 'report'>>;

export interface HubLimits {
  readonly maxReaders: number;
  readonly maxReadersPerUser: number;
}

const maxWaiting = 1000;
const maxWaitingBytes = 4 * 1024 * 1024;
/** Rights to the agent itself are the owner's; that it lost events concerns everyone. */
const core = 'agent';

export class EventHub {
  readonly #accessOf: (node: string) => EventAccess | undefined;
  readonly #limits: HubLimits;
  readonly #life = randomBytes(4).toString('hex');
  readonly #readers = new Set<Reader>();
  readonly #windows = new EventWindows();
  #count = 0;

  /** @param accessOf what is known at once of who may see a node */
  constructor(accessOf: (node: string) => EventAccess | undefined, limits: HubLimits) {
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
      place: this.#count,
      bytes: value.kind === 'event' ? JSON.stringify(value.event.data ?? null).length + 200 : 200,
    };
    this.#windows.add(kept);
    for (const reader of this.#readers)
      if (reader.wants(value.node) && this.maySee(reader.principal, value)) reader.push(kept);
  }

  /**
   * The events after `lastId` that are still here, then every new one, until the signal aborts; of one node, if it is
   * named.
   * @throws {AppError} too-many-concurrent
   */
  read(
    principal: Principal,
    options: {
      readonly lastId?: string | undefined;
      readonly node?: string | undefined;
      readonly signal: AbortSignal;
    },
  ): AsyncGenerator<HubItem> {
    const own = [...this.#readers].filter((one) => one.principal.user === principal.user).length;
    if (this.#readers.size >= this.#limits.maxReaders || own >= this.#limits.maxReadersPerUser)
      throw new AppError('too-many-concurrent', 'There are too many readers of events');
    const reader = new Reader(principal, options.node);
    this.#readers.add(reader);
    this.#catchUp(reader, options.lastId);
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
    if (access === undefined) return false;
    const rights = resolveRights(principal, access);
    if (rights.length === 0) return false;
    if (value.kind !== 'event') return true;
    const { audience, plugin, topic } = value.event;
    if (audience !== null && audience !== principal.user && !isAdministrator(principal)) return false;
    if (plugin === core && topic === 'gap') return true;
    if (access.kind === 'original') return coversPlugin(rights, familyOf(plugin));
    const aliases = access.report?.plugins.find(({ name }) => name === plugin)?.aliases ?? [];
    return concernsPlugin(rights, [plugin, ...aliases]);
  }

  /** I3 */
  #catchUp(reader: Reader, lastId: string | undefined): void {
    if (lastId === undefined) return;
    const [life, count] = lastId.split('-');
    const isKnown = life === this.#life && /^\d{1,15}$/.test(count ?? '');
    const missed = this.#windows.after(
      isKnown ? Number(count) : 0,
      (node) => reader.wants(node) && this.#isThere(reader.principal, node),
    );
    if (!isKnown) reader.miss(0);
    else if (missed.lost > 0) reader.miss(missed.lost);
    for (const kept of missed.kept) if (this.maySee(reader.principal, kept.event.value)) reader.push(kept);
  }

  #isThere(principal: Principal, node: string): boolean {
    const access = this.#accessOf(node);
    return access !== undefined && resolveRights(principal, access).length > 0;
  }

  #end(reader: Reader): void {
    this.#readers.delete(reader);
    reader.end();
  }
}

class Reader {
  readonly principal: Principal;
  #waiting: KeptEvent[] = [];
  #bytes = 0;
  #dropped = 0;
  #hasGap = false;
  #isEnded = false;
  #wake: () => void = () => undefined;

  readonly #node: string | undefined;

  constructor(principal: Principal, node: string | undefined) {
    this.principal = principal;
    this.#node = node;
  }

  wants(node: string): boolean {
    return this.#node === undefined || this.#node === node;
  }

  /** @param count 0: nobody knows */
  miss(count: number): void {
    this.#hasGap = true;
    this.#dropped += count;
  }

  /** I2 */
  push(kept: KeptEvent): void {
    this.#waiting.push(kept);
    this.#bytes += kept.bytes;
    while (this.#waiting.length > maxWaiting || this.#bytes > maxWaitingBytes) {
      this.#bytes -= this.#waiting.shift()?.bytes ?? 0;
      this.miss(1);
    }
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async *items(): AsyncGenerator<HubItem> {
    while (!this.#isEnded) {
      if (this.#hasGap) {
        const dropped = this.#dropped;
        this.#hasGap = false;
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
