import type { Logger } from '@gantry/kernel';
import { resolveIsolation } from './isolation.js';
import { languageRuntimes } from './languages/table.js';
import type { RuntimeOptions } from './runtime-options.js';
import { ProcessPool } from './sandbox/process-pool.js';
import { createStaging } from './sandbox/staging.js';

const mebibyte = 1024 * 1024;
/** Code kept in each executor process. */
const executorCodeBytes = 64 * mebibyte;

export interface Executors {
  readonly pool: ProcessPool;
  /** Ends every process and removes their programs. */
  stop(): Promise<void>;
}

/**
 * Stages the programs of all languages and starts one warm process for each.
 * @throws {IsolationError} when the level cannot be had
 * @throws {Error} when a process cannot be started, with the reason; nothing is left then
 */
export async function startExecutors(
  options: RuntimeOptions,
  deps: { logger: Logger; onLost: () => void },
): Promise<Executors> {
  const { memoryMiB, residentMiB, resultBytes, logBytes, warmFunctions, keptProcesses } = options;
  const isolation = resolveIsolation(options.isolation);
  const staging = await createStaging(Object.values(languageRuntimes), isolation);
  const pool = new ProcessPool({
    ...deps,
    languages: languageRuntimes,
    isolation,
    staging,
    limits: { memoryMiB, resultBytes, logBytes, warmFunctions, codeBytes: executorCodeBytes },
    residentBytes: residentMiB * mebibyte,
    keptProcesses,
  });
  const stop = async () => {
    await pool.stop();
    await staging.remove();
  };
  try {
    await pool.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { pool, stop };
}
