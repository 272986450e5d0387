import { setFlagsFromString } from 'node:v8';

// Taken while this file is loaded: the work below takes the power from the module.
const setFlag = setFlagsFromString;

/**
 * Does `work` with heaps that may not grow their young generation meanwhile. What it grows for the start of a thread
 * would stay for the thread's life, some 4 MiB in each. The setting is that of the process: other threads that run
 * functions meanwhile do with what they have for these milliseconds. Afterwards all grow as V8 does by default.
 */
export function withoutGrowing<T>(work: () => T): T {
  setFlag('--semi-space-growth-factor=1');
  try {
    return work();
  } finally {
    setFlag('--semi-space-growth-factor=2');
  }
}
