import { randomBytes, randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** Random bytes for ids are drawn in bulk: asking for 16 at a time costs more than all the rest of an id. */
const pool = new Uint8Array(16 * 256);
let usedBytes = pool.length;
/** Ids of the same millisecond are told apart, and ordered, by a counter that starts anywhere (RFC 9562, 6.2). */
let lastMs = 0;
let counter = 0;

/** A time-ordered id (RFC 9562 UUIDv7); later ones of this process are greater. */
export function newId(): string {
  if (usedBytes === pool.length) {
    randomFillSync(pool);
    usedBytes = 0;
  }
  const random = pool.subarray(usedBytes, usedBytes + 16);
  usedBytes += 16;
  const nowMs = Date.now();
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = randomCounter(random);
  } else if (counter === 0xffffffff) {
    lastMs += 1;
    counter = 0;
  } else {
    counter += 1;
  }
  return v7({ random, msecs: lastMs, seq: counter });
}

/** 31 bits, so that there is always room to count. */
const randomCounter = (random: Uint8Array): number =>
  (((random[6] ?? 0) & 0x7f) << 24) | ((random[7] ?? 0) << 16) | ((random[8] ?? 0) << 8) | (random[9] ?? 0);

/** Prefix of asynchronous executions, and the first word of their routing key. */
export const asyncPrefix = 'async';

/** A random name for one process: letters and digits, no dot (it is a word of routing keys), never `async`. */
export const newProcessId = (prefix: string): string => `${prefix}${randomBytes(6).toString('hex')}`;

/** A secret of 256 random bits, as 43 characters of base64url. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** Ids that are unique among processes and cheap to make: `<random>-<count>`. */
export function newIdSequence(): () => string {
  const prefix = randomBytes(8).toString('hex');
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}
