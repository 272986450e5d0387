import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * Numbers of users that no system gives out: above systemd's containers, below 2^31 (systemd.io/UIDS-GIDS). Each
 * program gets its own where the supervisor may give it one: some of the kernel's bounds count per user of the machine
 * (pipes, pending signals, processes before Linux 5.14), so that one program could use up what others need.
 */
const firstNumber = 2_000_000_000;
const pairs = 50_000_000;

/** A number that probably nothing else on this machine has, nor the one after it. */
export const takeUserNumber = (): number => firstNumber + randomInt(pairs) * 2;

/** Whether all of these numbers exist here: in a user namespace of its own a platform may have fewer. */
export function hasUserNumbers(userMap: string = readFileSync('/proc/self/uid_map', 'latin1')): boolean {
  return userMap.split('\n').some((line) => {
    const [first = Number.NaN, , count = Number.NaN] = line.trim().split(/\s+/).map(Number);
    return first <= firstNumber && first + count >= firstNumber + pairs * 2;
  });
}
