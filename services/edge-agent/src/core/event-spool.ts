/**
 * The events of an agent on their way to the bridge, which may be away.
 *
 * Everything that waits is in memory (bounded) and in a journal on the disk, which is read at the start and rewritten
 * when most of it is settled. Lines: `{"open"}` first, then `{"event"}`, `{"ack"}`, `{"drop"}`, `{"reserve"}`.
 *
 * I1. `(epoch, seq)` is never used for two events: numbers are reserved on the disk before they are used, and a restart
 *     goes on behind the reservation. A journal that cannot be read begins a new epoch.
 * I2. What was acknowledged is never handed out again, also after a restart.
 * I3. At most `maxEvents` and `maxBytes` wait; the oldest are dropped, and whoever reads finds a `gap` in their place.
 * I4. Emitting never waits and never fails because of the disk; `flush()` tells when it is safe.
 * I5. States replace each other and are not journalled.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentEvent } from '@gantry/contracts';
import { AppError, type Clock, type Logger } from '@gantry/kernel';
import { corePluginName } from './permissions.js';
import type { EmitOptions } from './ports.js';
import { type JournalState, loadJournal, newJournalState, SpoolJournal } from './spool-journal.js';

export interface SpoolOptions {
  readonly folder: string;
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onDropped: (count: number) => void;
}

const maxEventBytes = 256 * 1024;
const reserveStep = 10_000;
const rememberedIds = 4096;
/** Events handed out between two looks at what is new. */
const readBatch = 100;

interface Waiting {
  readonly seq: number;
  /** The event as JSON. */
  readonly text: string;
  readonly bytes: number;
  /** Set for states. */
  readonly stateKey: string | undefined;
}

export class EventSpool {
  readonly #options: SpoolOptions;
  readonly #journal: SpoolJournal;
  readonly #path: string;
  readonly #state: JournalState;
  readonly #ids: Set<string>;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #nextSeq: number;
  #reservedTo: number;
  #droppedTotal = 0;
  #wake: () => void = () => undefined;
  #news: Promise<void>;

  private constructor(options: SpoolOptions, path: string, state: JournalState) {
    this.#options = options;
    this.#path = path;
    this.#state = state;
    this.#ids = new Set(state.ids);
    this.#nextSeq = state.nextSeq;
    this.#reservedTo = state.nextSeq + reserveStep;
    this.#news = this.#nextNews();
    for (const event of state.events) this.#keep(event, undefined);
    this.#journal = new SpoolJournal(path, () => this.#snapshot(), options.logger);
  }

  /** @throws {Error} when the folder cannot be written */
  static async open(options: SpoolOptions): Promise<EventSpool> {
    const path = join(options.folder, 'events.journal');
    const state = (await loadJournal(path, options.logger)) ?? newJournalState();
    const spool = new EventSpool(options, path, state);
    // I1: its first line reserves the first numbers.
    await spool.#journal.rewrite();
    spool.#dropBeyondBounds();
    return spool;
  }

  get stats() {
    return {
      epoch: this.#state.epoch,
      lastSeq: this.#nextSeq - 1,
      acknowledged: this.#state.acked,
      waiting: this.#waiting.length,
      droppedTotal: this.#droppedTotal,
    };
  }

  /** @throws {RangeError} when the event is larger than 256 KiB */
  emit(plugin: string, topic: string, data: unknown, options: EmitOptions = {}): void {
    const id = options.id === undefined ? undefined : `${plugin}:${options.id}`;
    if (id !== undefined && this.#ids.has(id)) return;
    const seq = this.#nextSeq;
    const event: AgentEvent = {
      epoch: this.#state.epoch,
      seq,
      time: new Date(this.#options.clock.now()).toISOString(),
      plugin,
      topic,
      audience: options.audience ?? null,
      data: data ?? null,
    };
    const text = JSON.stringify(event);
    if (Buffer.byteLength(text) > maxEventBytes)
      throw new RangeError(`An event of ${plugin} is larger than ${maxEventBytes} bytes: ${topic}`);
    this.#nextSeq += 1;
    if (this.#nextSeq > this.#reservedTo) this.#reserve();
    if (id !== undefined) this.#remember(id);
    const stateKey = options.isState === true ? `${plugin} ${topic} ${options.audience ?? ''}` : undefined;
    if (stateKey !== undefined) this.#forgetState(stateKey);
    else this.#journal.append(`{"event":${text}${id === undefined ? '' : `,"id":${JSON.stringify(id)}`}}`);
    this.#keep({ seq, text }, stateKey);
    this.#dropBeyondBounds();
    this.#wake();
  }

  flush(): Promise<void> {
    return this.#journal.flush();
  }

  /**
   * Everything up to `seq` has arrived; it is forgotten once this resolves.
   * @throws {AppError} invalid-request when it is of another epoch, or was never sent
   */
  async acknowledge(epoch: string, seq: number): Promise<void> {
    if (epoch !== this.#state.epoch)
      throw new AppError('invalid-request', `The events are of epoch ${this.#state.epoch} now`);
    if (seq >= this.#nextSeq)
      throw new AppError('invalid-request', `There is no event ${seq} yet; the last is ${this.#nextSeq - 1}`);
    if (seq <= this.#state.acked) return;
    this.#state.acked = seq;
    this.#removeWhere((waiting) => waiting.seq <= seq);
    if (seq >= this.#state.droppedThrough) this.#state.droppedCount = 0;
    this.#journal.append(`{"ack":${seq}}`);
    await this.#journal.flush();
  }

  /**
   * The events after `seq`, oldest first, then every new one as it comes; ends when the signal aborts. A reader of
   * another epoch begins with the first that waits.
   */
  async *read(from: { epoch?: string; seq: number }, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    let cursor = from.epoch === undefined || from.epoch === this.#state.epoch ? from.seq : 0;
    cursor = Math.max(cursor, this.#state.acked);
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    while (!signal.aborted) {
      // Taken before the look, so that what comes in between is not slept over.
      const news = this.#news;
      const batch = this.#after(cursor);
      for (const event of batch) {
        if (signal.aborted) return;
        cursor = event.seq;
        yield event;
      }
      if (batch.length === 0) await Promise.race([news, aborted]);
    }
  }

  async close(): Promise<void> {
    await this.#journal.close();
  }

  #after(cursor: number): readonly AgentEvent[] {
    const events: AgentEvent[] = [];
    const { droppedCount, droppedThrough } = this.#state;
    if (droppedCount > 0 && droppedThrough > cursor) events.push(this.#gap());
    for (const { seq, text } of this.#waiting) {
      if (seq <= cursor) continue;
      if (events.length >= readBatch) break;
      events.push(JSON.parse(text) as AgentEvent);
    }
    return events;
  }

  /** I3 */
  #gap(): AgentEvent {
    return {
      epoch: this.#state.epoch,
      seq: this.#state.droppedThrough,
      time: new Date(this.#options.clock.now()).toISOString(),
      plugin: corePluginName,
      topic: 'gap',
      audience: null,
      data: { dropped: this.#state.droppedCount, through_seq: this.#state.droppedThrough },
    };
  }

  #keep({ seq, text }: { seq: number; text: string }, stateKey: string | undefined): void {
    const bytes = Buffer.byteLength(text);
    this.#waiting.push({ seq, text, bytes, stateKey });
    this.#bytes += bytes;
  }

  /** I5 */
  #forgetState(key: string): void {
    this.#removeWhere(({ stateKey }) => stateKey === key);
  }

  #removeWhere(isOver: (waiting: Waiting) => boolean): void {
    this.#waiting = this.#waiting.filter((waiting) => {
      if (!isOver(waiting)) return true;
      this.#bytes -= waiting.bytes;
      return false;
    });
  }

  /** I3 */
  #dropBeyondBounds(): void {
    const { maxEvents, maxBytes, onDropped } = this.#options;
    let count = 0;
    let index = 0;
    while (this.#waiting.length - index > maxEvents || this.#bytes > maxBytes) {
      const oldest = this.#waiting[index];
      if (oldest === undefined) break;
      index += 1;
      this.#bytes -= oldest.bytes;
      // A state that goes is not missed: a newer one comes.
      if (oldest.stateKey !== undefined) continue;
      count += 1;
      this.#state.droppedThrough = oldest.seq;
    }
    if (index === 0) return;
    this.#waiting.splice(0, index);
    if (count === 0) return;
    this.#state.droppedCount += count;
    this.#droppedTotal += count;
    onDropped(count);
    const { droppedCount, droppedThrough } = this.#state;
    this.#journal.append(`{"drop":{"count":${droppedCount},"through":${droppedThrough}}}`);
  }

  /** I1: on the disk before the first number is used; once in ten thousand events. */
  #reserve(): void {
    this.#reservedTo = this.#nextSeq + reserveStep;
    // Once more in order: a rewrite that is under way replaces the file that is written to below.
    this.#journal.append(`{"reserve":${this.#reservedTo}}`);
    try {
      const file = openSync(this.#path, 'a', 0o600);
      try {
        // A line of its own, whatever the last append left behind.
        writeSync(file, `\n{"reserve":${this.#reservedTo}}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      // I4: with a full disk the numbers are only safe as long as the agent runs.
      this.#options.logger.error('numbers of events cannot be reserved', { error });
    }
  }

  #remember(id: string): void {
    this.#ids.add(id);
    if (this.#ids.size <= rememberedIds) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      break;
    }
  }

  #nextNews(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#news = this.#nextNews();
        resolve();
      };
    });
  }

  #snapshot(): { lines: readonly string[] } {
    const { epoch, acked, droppedCount, droppedThrough } = this.#state;
    const open = {
      open: {
        epoch,
        acked,
        droppedCount,
        droppedThrough,
        nextSeq: Math.max(this.#reservedTo, this.#nextSeq),
        ids: [...this.#ids],
      },
    };
    const events = this.#waiting
      .filter(({ stateKey }) => stateKey === undefined)
      .map(({ text }) => `{"event":${text}}`);
    return { lines: [JSON.stringify(open), ...events] };
  }
}
