/**
 * Lines of the audit log: JSON in a folder of its own, mode 0600, a new file when one is full.
 *
 * I1. Lines are written in the order in which they were recorded, and whole.
 * I2. At most `keptFiles` files and `maxWaiting` unwritten lines: a disk that does not answer costs lines, which are
 *     counted in the log, and never memory.
 */
import { appendFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { AuditEntry, AuditSink } from '../../ports.js';

export interface AuditFileOptions {
  readonly folder: string;
  /** Of its files: `<name>.jsonl`, and `<name>-<time>.jsonl` once they are full. */
  readonly name: string;
  readonly maxFileBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const keptFiles = 10;
const maxWaiting = 10_000;

export class AuditFile implements AuditSink, Part {
  readonly name: string;
  readonly #options: AuditFileOptions;
  readonly #path: string;
  #waiting: string[] = [];
  #dropped = 0;
  #sizeBytes = 0;
  #writing: Promise<void> | undefined;

  constructor(options: AuditFileOptions) {
    this.#options = options;
    this.name = `audit log ${options.name}`;
    this.#path = join(options.folder, `${options.name}.jsonl`);
  }

  async start(): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    this.#sizeBytes = await stat(this.#path).then(
      ({ size }) => size,
      () => 0,
    );
  }

  async stop(): Promise<void> {
    await this.#writing;
  }

  write(entry: AuditEntry): void {
    if (this.#waiting.length >= maxWaiting) {
      this.#dropped += 1;
      return;
    }
    const time = new Date(this.#options.clock.now()).toISOString();
    this.#waiting.push(`${JSON.stringify({ time, ...entry })}\n`);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    const { logger, maxFileBytes } = this.#options;
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join('');
      const count = this.#waiting.length;
      this.#waiting = [];
      try {
        if (this.#sizeBytes >= maxFileBytes) await this.#beginFile();
        await appendFile(this.#path, text, { mode: 0o600 });
        this.#sizeBytes += Buffer.byteLength(text);
        if (this.#dropped > 0) {
          logger.error('lines of the audit log were lost', { count: this.#dropped });
          this.#dropped = 0;
        }
      } catch (error) {
        this.#dropped += count;
        logger.error('the audit log cannot be written', { reason: messageOf(error) });
      }
    }
  }

  async #beginFile(): Promise<void> {
    const { clock, folder, name } = this.#options;
    const stamp = new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-');
    await rename(this.#path, join(folder, `${name}-${stamp}.jsonl`));
    this.#sizeBytes = 0;
    const full = new RegExp(`^${name}-\\d{4}-.+\\.jsonl$`);
    const old = (await readdir(folder)).filter((one) => full.test(one)).sort();
    for (const one of old.slice(0, Math.max(0, old.length - (keptFiles - 1))))
      await rm(join(folder, one), { force: true });
  }
}
