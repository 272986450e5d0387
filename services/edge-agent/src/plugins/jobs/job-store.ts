/**
 * Every job in a folder of its own: `journal` (JSON lines: what it is, then what happened) and the files of its tasks.
 *
 * I1. A line is on the disk before anybody is told of what it says.
 * I2. Lines are only ever added; one that is half written (the machine stopped) is cut off at the next start.
 * I3. Ended jobs are bounded in number and age; open ones are bounded by whoever submits.
 */
import { mkdir, open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { jobSpecSchema } from '@gantry/contracts';
import type { Logger } from '@gantry/kernel';
import { makePrivateFolder, syncFolder } from '../../core/state-folder.js';
import { applyLine, createJob, isOpen, type Job, type JobBirth, type JobLine } from './job.js';
import { folderOf } from './job-folder.js';

const journalName = 'journal';
const jobIdPattern = /^[0-9a-f-]{36}$/;
/** Elements of arrays are kept in memory too: on average so many a job. */
const maxTasksPerEndedJob = 20;
/** A job beyond this many bytes of journal is not one of ours. */
const maxJournalBytes = 64 * 1024 * 1024;

export interface RetentionLimits {
  readonly maxEndedJobs: number;
  readonly maxAgeMs: number;
}

export class JobStore {
  readonly folder: string;
  readonly #logger: Logger;
  readonly #jobs = new Map<string, Job>();
  readonly #writes = new Map<string, Promise<void>>();
  /** What could not be written yet: it comes before everything later. */
  readonly #unwritten = new Map<string, JobLine[]>();

  private constructor(folder: string, logger: Logger) {
    this.folder = folder;
    this.#logger = logger;
  }

  /** @throws {Error} when the folder cannot be read or written */
  static async open(folder: string, logger: Logger): Promise<JobStore> {
    await makePrivateFolder(folder);
    const store = new JobStore(folder, logger);
    const names = (await readdir(folder)).filter((name) => jobIdPattern.test(name)).sort();
    for (const name of names) await store.#load(name);
    return store;
  }

  get(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  /** Oldest first: ids grow with time. */
  all(): readonly Job[] {
    return [...this.#jobs.values()];
  }

  folderOf(id: string): string {
    return folderOf(this.folder, id);
  }

  /** @throws {Error} of the file system: then there is no such job */
  async add(birth: JobBirth): Promise<Job> {
    const folder = this.folderOf(birth.id);
    try {
      await mkdir(folder, { mode: 0o700 });
      await appendLine(join(folder, journalName), birth);
      await syncFolder(folder);
      await syncFolder(this.folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    const job = createJob(birth);
    this.#jobs.set(job.id, job);
    return job;
  }

  /** Changes the job at once; resolves when the lines are on the disk (I1). Lines of one job are written in order. */
  append(job: Job, lines: readonly JobLine[]): Promise<void> {
    for (const line of lines) applyLine(job, line);
    const waiting = [...(this.#unwritten.get(job.id) ?? []), ...lines];
    this.#unwritten.set(job.id, waiting);
    return this.#inTurn(job.id, async () => {
      const due = this.#unwritten.get(job.id) ?? [];
      if (due.length === 0 || !this.#jobs.has(job.id)) return;
      const count = due.length;
      await appendLine(join(this.folderOf(job.id), journalName), ...due);
      const later = (this.#unwritten.get(job.id) ?? []).slice(count);
      if (later.length === 0) this.#unwritten.delete(job.id);
      else this.#unwritten.set(job.id, later);
    });
  }

  /** The lines of a job as they were written. */
  async readLines(id: string): Promise<readonly JobLine[]> {
    await this.#writes.get(id)?.catch(() => undefined);
    const { lines } = parseJournal(await readFile(join(this.folderOf(id), journalName)));
    return lines;
  }

  async remove(job: Job): Promise<void> {
    this.#jobs.delete(job.id);
    this.#unwritten.delete(job.id);
    await this.#inTurn(job.id, () => rm(this.folderOf(job.id), { recursive: true, force: true }));
  }

  /** I3 */
  async sweep({ maxEndedJobs, maxAgeMs }: RetentionLimits, nowMs: number): Promise<void> {
    // What was not handed on yet is still needed.
    const ended = this.all().filter((job) => !isOpen(job) && job.sentSeq === job.seq);
    ended.sort((a, b) => (b.endedAtMs ?? 0) - (a.endedAtMs ?? 0));
    let tasks = 0;
    for (const [at, job] of ended.entries()) {
      tasks += job.tasks.length;
      const isSurplus = at >= maxEndedJobs || tasks > maxTasksPerEndedJob * maxEndedJobs;
      if (isSurplus || (job.endedAtMs ?? 0) < nowMs - maxAgeMs) await this.remove(job);
    }
  }

  /** Resolves when everything that was appended is on the disk. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#writes.values()]);
  }

  #inTurn(id: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#writes.get(id) ?? Promise.resolve()).catch(() => undefined).then(work);
    this.#writes.set(id, turn);
    const forget = () => {
      if (this.#writes.get(id) === turn) this.#writes.delete(id);
    };
    turn.then(forget, forget);
    return turn;
  }

  async #load(id: string): Promise<void> {
    const folder = this.folderOf(id);
    const path = join(folder, journalName);
    try {
      const bytes = await readFile(path);
      if (bytes.length > maxJournalBytes) throw new Error(`its journal has ${bytes.length} bytes`);
      const { birth, lines, wholeBytes } = parseJournal(bytes);
      if (birth === undefined) {
        // Its submission was never answered.
        await rm(folder, { recursive: true, force: true });
        return;
      }
      if (wholeBytes < bytes.length) await truncate(path, wholeBytes);
      const job = createJob({ ...birth, spec: jobSpecSchema.parse(birth.spec) });
      for (const line of lines) applyLine(job, line);
      this.#jobs.set(id, job);
    } catch (error) {
      this.#logger.error('a job cannot be read; its folder is left alone', { job_id: id, error });
    }
  }
}

async function appendLine(path: string, ...values: readonly unknown[]): Promise<void> {
  const handle = await open(path, 'a', 0o600);
  try {
    const { size } = await handle.stat();
    try {
      await handle.writeFile(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
      await handle.datasync();
    } catch (error) {
      // Half a line must not stand before the next one.
      await handle.truncate(size).catch(() => undefined);
      throw error;
    }
  } finally {
    await handle.close();
  }
}

interface ParsedJournal {
  readonly birth: JobBirth | undefined;
  readonly lines: readonly JobLine[];
  /** Up to here it consists of whole lines (I2). */
  readonly wholeBytes: number;
}

/** Pure. @throws {SyntaxError} for a whole line that is not JSON */
function parseJournal(bytes: Buffer): ParsedJournal {
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
  const [first, ...rest] = bytes
    .subarray(0, wholeBytes)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
  return {
    birth: first === undefined ? undefined : (JSON.parse(first) as JobBirth),
    lines: rest.map((line) => JSON.parse(line) as JobLine),
    wholeBytes,
  };
}
