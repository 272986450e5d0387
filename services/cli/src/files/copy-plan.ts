/** What all copies share. */
import { isGantryError } from '@gantry/client';
import { UsageError } from '../commands/usage-error.js';
import type { CopyInterrupt } from './copy-interrupt.js';
import type { TransferProgress } from './transfer-progress.js';

export interface CopyOptions {
  readonly isRecursive: boolean;
  /** Replaces what is there. */
  readonly isForced: boolean;
  /** Goes on with what an earlier copy left, and leaves out what it had finished. */
  readonly isResumed: boolean;
  /** Told of what is under way on this machine. */
  readonly interrupt: CopyInterrupt;
}

export interface CopyResult {
  readonly from: string;
  readonly to: string;
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
  /** Were there already, with the same bytes. */
  readonly skipped: number;
  /** Neither files nor folders: links, pipes, devices. The first hundred. */
  readonly left_out: readonly string[];
  /** Of a single file. */
  readonly sha256?: string;
}

const maxLeftOut = 100;
/** Names of a folder that are looked at to tell what it is. */
export const maxCompared = 10_000;
/** Files of a folder that are under way at once: most of a small file is waiting. */
const maxParallel = 4;

/** Counts what was done with the files of a folder. */
export class CopyTally {
  files = 0;
  folders = 0;
  bytes = 0;
  skipped = 0;
  readonly leftOut: string[] = [];

  leaveOut(path: string): void {
    if (this.leftOut.length < maxLeftOut) this.leftOut.push(path);
  }

  toResult(from: string, to: string): CopyResult {
    const { bytes, files, folders, leftOut, skipped } = this;
    return { from, to, files, folders, bytes, skipped, left_out: leftOut };
  }
}

/** What became of one file. */
export interface CopiedFile {
  readonly sha256: string;
  readonly isSkipped: boolean;
}

/** Copies some files at a time. The first failure ends it; what is under way is waited for. */
export class CopyPool {
  readonly #running = new Set<Promise<void>>();
  readonly #tally: CopyTally;
  readonly #progress: TransferProgress;
  #failure: { readonly error: unknown } | undefined;

  constructor(tally: CopyTally, progress: TransferProgress) {
    this.#tally = tally;
    this.#progress = progress;
  }

  /** Resolves when the work has begun. @throws what an earlier one failed with */
  async add(path: string, sizeBytes: number, work: () => Promise<CopiedFile>): Promise<void> {
    while (this.#running.size >= maxParallel) await Promise.race(this.#running);
    this.#throwFailure();
    const task: Promise<void> = this.#run(path, sizeBytes, work).finally(() => this.#running.delete(task));
    this.#running.add(task);
  }

  /** Also after a failure: nothing goes on behind it. @throws what one failed with */
  async end(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFailure();
  }

  /** Waits for what is under way, whatever becomes of it. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #run(path: string, sizeBytes: number, work: () => Promise<CopiedFile>): Promise<void> {
    try {
      const { isSkipped } = await work();
      this.#progress.done(path, isSkipped ? 0 : sizeBytes);
      if (isSkipped) this.#tally.skipped += 1;
      else {
        this.#tally.files += 1;
        this.#tally.bytes += sizeBytes;
      }
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** What is in the way of a copy. */
export class FileExistsError extends UsageError {
  override readonly code = 'file-exists';

  constructor(place: string) {
    super(`${place} exists already; --force replaces it, --resume goes on with a copy that broke off`);
  }
}

/**
 * Whether a folder that is there is what an earlier copy of `source` left, and not a folder to copy into: it has
 * something, and nothing that the source has not. Pure.
 */
export function isBegunCopy(there: Iterable<string>, source: ReadonlySet<string>): boolean {
  let isAny = false;
  for (const name of there) {
    if (!source.has(name)) return false;
    isAny = true;
  }
  return isAny;
}

/** Whether there is nothing under a name. */
export const isMissing = (error: unknown): boolean => isGantryError(error, 'file-not-found');
