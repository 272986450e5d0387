/**
 * A lock between processes of one machine: a file that names its holder.
 *
 * I1  A lock whose process is gone, or whose process id now belongs to another process, is stale and is replaced.
 * I2  Two processes at once cannot both get it: it is linked into place, whole.
 * I3  Only one process at a time may replace the lock of one that is gone, by a file named after the one that is gone.
 *     It looks again once it may: the lock may have been replaced since it looked first.
 */
import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.js';

const maxAttempts = 20;
/** Replacing a lock is three system calls; a busy machine may stop the other process in between. */
const pauseMs = 10;
let drafts = 0;

export type Lock =
  | { readonly kind: 'taken'; release(): void }
  /** `pid` is undefined when it changed hands at every look. */
  | { readonly kind: 'held'; readonly pid: number | undefined };

/**
 * Takes the lock, or says who has it; waits only while somebody replaces one of a process that is gone (200 ms at most).
 * The folder of `path` has to exist.
 */
export function takeLock(path: string): Lock {
  const own = identityOf(process.pid);
  drafts += 1;
  const draft = `${path}.${process.pid}.${drafts}`;
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const outcome = isLinked(draft, path) ? 'taken' : takeOver(path, draft);
      if (outcome === 'taken') return { kind: 'taken', release: () => unlock(path, own) };
      if (outcome !== 'again') return { kind: 'held', pid: outcome.pid };
      pause();
    }
    return { kind: 'held', pid: undefined };
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Whether a process that lives holds the lock. */
export function isLockHeld(path: string): boolean {
  const holder = readHolder(path);
  return holder !== undefined && isAlive(holder);
}

const pause = (): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
};

/** I2: a link appears with its content, or not at all. */
function isLinked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * I1, I3. Answers the holder when there is one; afterwards the lock is the draft's, or somebody else's to look at again.
 */
function takeOver(path: string, draft: string): 'taken' | 'again' | ProcessIdentity {
  const seen = readHolder(path);
  if (seen !== undefined && isAlive(seen)) return seen;
  const right = `${path}.after.${seen?.pid ?? 'nobody'}.${seen?.startTicks ?? ''}`;
  if (!isLinked(draft, right)) {
    const other = readHolder(right);
    // It died between two system calls.
    if (other === undefined || !isAlive(other)) rmSync(right, { force: true });
    return 'again';
  }
  try {
    const now = readHolder(path);
    const isStill = existsSync(path) && now?.pid === seen?.pid && now?.startTicks === seen?.startTicks;
    if (!isStill) return 'again';
    renameSync(right, path);
    return 'taken';
  } finally {
    rmSync(right, { force: true });
  }
}

function unlock(path: string, own: ProcessIdentity): void {
  const holder = readHolder(path);
  if (holder?.pid === own.pid && holder.startTicks === own.startTicks) rmSync(path, { force: true });
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Partial<ProcessIdentity>;
    return typeof holder.pid === 'number'
      ? { pid: holder.pid, startTicks: holder.startTicks ?? '' }
      : undefined;
  } catch {
    // Cut off by a crash or a full disk: nobody holds it.
    return undefined;
  }
}
