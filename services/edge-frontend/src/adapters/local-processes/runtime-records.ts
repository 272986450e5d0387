/**
 * What is known of the runtime processes of this machine, as files in one folder: `<id>.json` written by whoever
 * started the process, `<id>.status` written by the runtime itself, `<id>.log` with what it prints.
 *
 * I1  A record names its process by id and start time, so that a process id that was given away is never signalled.
 * I2  A number of a flavour is used again as soon as its process is gone: there are never more files than numbers.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { flavourNameSchema } from '@gantry/contracts';
import { z } from 'zod';

const recordSchema = z.object({
  id: z.string(),
  flavour: flavourNameSchema,
  /** Counts from 1 within the flavour; the id is `<flavour>.<number>`. */
  number: z.number().int().min(1),
  pid: z.number().int().min(2),
  startTicks: z.string(),
  startedAtMs: z.number(),
  /** It was told to drain. */
  isDraining: z.boolean(),
});
export type RuntimeRecord = z.infer<typeof recordSchema>;

const statusSchema = z.object({
  runtime_id: z.string(),
  phase: z.enum(['starting', 'taking', 'draining', 'stopped']),
  not_ready: z.string().nullable(),
  running: z.number().int(),
});
/** What a runtime says of itself. */
export type RuntimeStatus = z.infer<typeof statusSchema>;

const recordPattern = /^([A-Za-z0-9_-]+)\.(\d{1,4})\.json$/;

export class RuntimeRecords {
  /** Absolute. */
  readonly folder: string;

  /** The folder is made with mode 0700 by the first write. */
  constructor(folder: string) {
    this.folder = resolve(folder);
  }

  prepare(): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
  }

  /** Every readable record, by flavour and number. */
  readAll(): RuntimeRecord[] {
    const records = this.#names().map((name) => readJson(join(this.folder, name), recordSchema));
    return records
      .filter((record) => record !== undefined)
      .sort((a, b) => a.flavour.localeCompare(b.flavour) || a.number - b.number);
  }

  write(record: RuntimeRecord): void {
    const path = this.#path(record.id, 'json');
    writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  /** The log stays until the number is used again. */
  remove({ id }: Pick<RuntimeRecord, 'id'>): void {
    rmSync(this.#path(id, 'json'), { force: true });
    rmSync(this.#path(id, 'status'), { force: true });
  }

  statusOf({ id }: Pick<RuntimeRecord, 'id'>): RuntimeStatus | undefined {
    return readJson(this.#path(id, 'status'), statusSchema);
  }

  statusPath(id: string): string {
    return this.#path(id, 'status');
  }

  logPath(id: string): string {
    return this.#path(id, 'log');
  }

  /** A lock file of the folder. */
  lockPath(name: string): string {
    return join(this.folder, `${name}.lock`);
  }

  #names(): string[] {
    try {
      return readdirSync(this.folder).filter((name) => recordPattern.test(name));
    } catch {
      return [];
    }
  }

  #path(id: string, kind: string): string {
    return join(this.folder, `${id}.${kind}`);
  }
}

/** Undefined when it is not there, cut off, or of another release. */
function readJson<T>(path: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}
