import { isGantryError, type Patience } from '@gantry/client';
import { messageOf } from '@gantry/kernel';
import { note } from './terminal.js';

const everyMs = 30_000;

/**
 * Says on standard error that something is waited for, when it begins and every half a minute: once, however many
 * requests wait for the same.
 * @param what is waited for: `the node lab-1`
 */
export function waitNotes(what: string, say: (text: string) => void = note): NonNullable<Patience['onWait']> {
  let saidMs = Number.NEGATIVE_INFINITY;
  return (error, waitedMs) => {
    const nowMs = performance.now();
    if (nowMs - saidMs < everyMs) return;
    saidMs = nowMs;
    const seconds = Math.round(waitedMs / 1000);
    say(`waiting for ${what}${seconds === 0 ? '' : ` for ${seconds} s now`}: ${textOf(error)}`);
  };
}

/** What to tell people of an error: without the code, which is for programs. */
export const textOf = (error: unknown): string => (isGantryError(error) ? error.detail : messageOf(error));
