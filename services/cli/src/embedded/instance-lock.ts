import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { takeLock } from '@gantry/edge-frontend';
import { lockFileName } from '../connection.js';

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
 * Takes the lock of a data folder, one platform a folder; the folder is made with mode 0700 when it does not exist.
 * @returns how to give it back
 * @throws {AlreadyRunningError}
 */
export function lockDataDir(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, lockFileName);
  const lock = takeLock(path);
  if (lock.kind === 'taken') return lock.release;
  if (lock.pid !== undefined) throw new AlreadyRunningError(dataDir, lock.pid);
  throw new Error(`${path} cannot be taken; another start is under way. Try again.`);
}
