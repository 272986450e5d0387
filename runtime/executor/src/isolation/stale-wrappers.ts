import { readdirSync, readFileSync } from 'node:fs';
import { stagingPrefix } from '../sandbox/staging.js';
import { isStale } from './supervisor-name.js';

/**
 * Ends what is left of sandboxes that were just starting when their supervisor was killed: bubblewrap's second half
 * then waits for ever for a word of its first. It holds no function, and is known by the staging folder in its command
 * line, whose name says which supervisor made it. Platforms in process namespaces below this one are seen from here;
 * their names are of another namespace.
 */
const stagedFolder = new RegExp(`/(${stagingPrefix}[^\\0/]*)\\0/gantry\\0`);

/** The name of the staging folder in a command line of bubblewrap. */
export function stagingOf(commandLine: string): string | undefined {
  if (!/^[^\0]*bwrap\0/.test(commandLine)) return undefined;
  return stagedFolder.exec(commandLine)?.[1];
}

/** Ends wrappers of supervisors that are no more. */
export function endStaleWrappers(): void {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const staging = stagingOf(readFileSync(`/proc/${name}/cmdline`, 'latin1'));
      if (staging !== undefined && isStale(stagingPrefix, staging)) process.kill(Number(name), 'SIGKILL');
    } catch {
      // It ended while we looked, or is another user's.
    }
  }
}
