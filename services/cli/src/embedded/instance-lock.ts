/**
 * One platform per data folder: a lock file that names its holder.
 *
 * I1  A lock whose process is gone, or whose process id now belongs to another process, is stale and is replaced.
 * I2  Two starts at once cannot both get it: it is linked into place, whole.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Holder {
  readonly pid: number;
  /** Start time of the process in clock ticks since boot (proc(5), field 22), so that a reused pid is not mistaken. */
  readonly startTicks: string;
}

const maxAttempts = 5;

/** Another platform runs on the data folder. */
class AlreadyRunningError extends Error {
  constructor(dataDir: string, pid: number) {
    super(
      `Gantry already runs on ${dataDir} (process ${pid}). Use it, stop it with "kill ${pid}", or give this one a folder of its own with GANTRY_DATA_DIR.`,
    );
    this.name = 'AlreadyRunningError';
  }
}

/**
 * Takes the lock of a data folder, which is made with mode 0700 when it does not exist.
 * @returns how to give it back
 * @throws {AlreadyRunningError}
 */
export function lockDataDir(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, 'gantry.lock');
  const own: Holder = { pid: process.pid, startTicks: startTicksOf(process.pid) ?? '' };
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      if (isTaken(draft, path)) return () => unlock(path, own);
      takeAwayStale(path, dataDir);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw new Error(`${path} cannot be taken; another start is under way. Try again.`);
}

/** I2: a link appears with its content, or not at all. */
function isTaken(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** I1. Moved before it is looked at again, so that a lock taken meanwhile is not removed in place of the stale one. */
function takeAwayStale(path: string, dataDir: string): void {
  const seen = readHolder(path);
  if (seen !== undefined && isAlive(seen)) throw new AlreadyRunningError(dataDir, seen.pid);
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = readHolder(aside);
  const isLive = moved !== undefined && isAlive(moved);
  if (isLive) isTaken(aside, path);
  rmSync(aside, { force: true });
  if (isLive) throw new AlreadyRunningError(dataDir, moved.pid);
}

function unlock(path: string, own: Holder): void {
  const holder = readHolder(path);
  if (holder?.pid === own.pid && holder.startTicks === own.startTicks) rmSync(path, { force: true });
}

function readHolder(path: string): Holder | undefined {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Partial<Holder>;
    return typeof holder.pid === 'number'
      ? { pid: holder.pid, startTicks: holder.startTicks ?? '' }
      : undefined;
  } catch {
    // Cut off by a crash or a full disk: nobody holds it.
    return undefined;
  }
}

function isAlive({ pid, startTicks }: Holder): boolean {
  const ticks = startTicksOf(pid);
  if (ticks !== undefined) return ticks === startTicks;
  try {
    process.kill(pid, 0);
    return startTicks === '';
  } catch {
    return false;
  }
}

/** Undefined where there is no such process, or no /proc. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name may hold spaces and parentheses: count from its last one. Field 3 follows it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
