/**
 * The file behind the event spool.
 *
 * I1. Lines are appended in the order they were given; one write at a time, synced to the disk.
 * I2. After a write that failed the file may end in half a line: it is written anew from what is in memory before
 *     anything is appended again.
 * I3. The file is replaced by renaming, so that a crash leaves the old or the new one, whole.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { agentEventSchema } from '@gantry/contracts';
import { type Logger, messageOf } from '@gantry/kernel';
import { z } from 'zod';
import { syncFolder } from './state-folder.js';

export interface JournalState {
  readonly epoch: string;
  readonly nextSeq: number;
  acked: number;
  droppedCount: number;
  droppedThrough: number;
  readonly ids: readonly string[];
  readonly events: readonly { readonly seq: number; readonly text: string }[];
}

/** Of a node whose events begin now. */
export const newJournalState = (): JournalState => ({
  epoch: randomUUID(),
  nextSeq: 1,
  acked: 0,
  droppedCount: 0,
  droppedThrough: 0,
  ids: [],
  events: [],
});

/** Rewritten when it is this much larger than after the last time. */
const slackBytes = 1024 * 1024;
/** Lines that may wait for a disk that hangs; then they are dropped and the file is written anew. I2 */
const maxPendingLines = 20_000;

export class SpoolJournal {
  readonly #path: string;
  readonly #snapshot: () => { lines: readonly string[] };
  readonly #logger: Logger;
  #file: FileHandle | undefined;
  #pending: string[] = [];
  #writing: Promise<void> | undefined;
  #needsRewrite = false;
  #bytesSinceRewrite = 0;
  #isFailing = false;

  constructor(path: string, snapshot: () => { lines: readonly string[] }, logger: Logger) {
    this.#path = path;
    this.#snapshot = snapshot;
    this.#logger = logger;
  }

  append(line: string): void {
    if (this.#pending.length >= maxPendingLines) {
      this.#pending = [];
      this.#needsRewrite = true;
    }
    this.#pending.push(line);
    this.#start();
  }

  /** Resolves when everything appended so far was written, or could not be. */
  async flush(): Promise<void> {
    this.#start();
    while (this.#writing !== undefined) await this.#writing;
  }

  /** @throws {Error} when it cannot be written */
  async rewrite(): Promise<void> {
    const temporary = `${this.#path}.new`;
    const file = await open(temporary, 'w', 0o600);
    // Taken together with the lines that it replaces: nothing is lost or doubled in between.
    const { lines } = this.#snapshot();
    this.#pending = [];
    try {
      await file.writeFile(`${lines.join('\n')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#file?.close();
    this.#file = undefined;
    await rename(temporary, this.#path);
    await syncFolder(dirname(this.#path));
    this.#file = await open(this.#path, 'a', 0o600);
    this.#needsRewrite = false;
    this.#bytesSinceRewrite = 0;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#file?.close();
    this.#file = undefined;
  }

  #start(): void {
    if (this.#writing !== undefined || (this.#pending.length === 0 && !this.#needsRewrite)) return;
    this.#writing = this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  /** I1 */
  async #drain(): Promise<void> {
    // Let what is emitted in the same turn go in one write.
    await Promise.resolve();
    while (this.#pending.length > 0 || this.#needsRewrite) {
      try {
        if (this.#needsRewrite || this.#bytesSinceRewrite > slackBytes) await this.rewrite();
        else await this.#write();
        this.#isFailing = false;
      } catch (error) {
        this.#needsRewrite = true;
        if (!this.#isFailing)
          this.#logger.error('events cannot be written to the disk', { error: messageOf(error) });
        this.#isFailing = true;
        // The next event tries again; until then they wait in memory.
        this.#pending = [];
        return;
      }
    }
  }

  async #write(): Promise<void> {
    const lines = this.#pending;
    this.#pending = [];
    const text = `${lines.join('\n')}\n`;
    this.#file ??= await open(this.#path, 'a', 0o600);
    await this.#file.appendFile(text);
    await this.#file.datasync();
    this.#bytesSinceRewrite += Buffer.byteLength(text);
  }
}

const count = z.number().int().nonnegative();
const lineSchema = z.union([
  z.object({
    open: z.object({
      epoch: z.string().min(1),
      nextSeq: count,
      acked: count,
      droppedCount: count,
      droppedThrough: count,
      ids: z.array(z.string()),
    }),
  }),
  z.object({ event: agentEventSchema, id: z.string().optional() }),
  z.object({ ack: count }),
  z.object({ drop: z.object({ count, through: count }) }),
  z.object({ reserve: count }),
]);
type Line = z.infer<typeof lineSchema>;

/** What a journal says; undefined when there is none, or its first line cannot be read. */
export async function loadJournal(path: string, logger: Logger): Promise<JournalState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const lines = text.split('\n').filter((line) => line !== '');
  const first = parseLine(lines[0] ?? '');
  if (first === undefined || !('open' in first)) {
    logger.error('the journal of events cannot be read; a new one is begun', { path });
    return undefined;
  }
  let { acked, droppedCount, droppedThrough, nextSeq } = first.open;
  const ids = [...first.open.ids];
  const events = new Map<number, string>();
  let unreadable = 0;
  for (const line of lines.slice(1)) {
    const parsed = parseLine(line);
    if (parsed === undefined) unreadable += 1;
    else if ('event' in parsed) {
      events.set(parsed.event.seq, JSON.stringify(parsed.event));
      if (parsed.id !== undefined) ids.push(parsed.id);
      nextSeq = Math.max(nextSeq, parsed.event.seq + 1);
    } else if ('ack' in parsed) acked = Math.max(acked, parsed.ack);
    else if ('drop' in parsed) {
      droppedCount = parsed.drop.count;
      droppedThrough = parsed.drop.through;
    } else if ('reserve' in parsed) nextSeq = Math.max(nextSeq, parsed.reserve);
  }
  // Half a line at the end is what a crash leaves; more is damage.
  if (unreadable > 0) logger.warn('lines of the journal of events cannot be read', { path, unreadable });
  if (droppedThrough <= acked) droppedCount = 0;
  const behind = Math.max(acked, droppedThrough);
  return {
    epoch: first.open.epoch,
    nextSeq,
    acked,
    droppedCount,
    droppedThrough,
    ids: ids.slice(-4096),
    events: [...events]
      .filter(([seq]) => seq > behind)
      .sort(([a], [b]) => a - b)
      .map(([seq, eventText]) => ({ seq, text: eventText })),
  };
}

function parseLine(line: string): Line | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
