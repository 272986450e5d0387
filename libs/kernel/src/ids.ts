import { randomBytes } from 'node:crypto';
import { v7 } from 'uuid';

/** A time-ordered id (RFC 9562 UUIDv7). */
export const newId = (): string => v7();

/** Prefix of asynchronous executions, and the first word of their routing key. */
export const asyncPrefix = 'async';

/** A random name for one process: letters and digits, no dot (it is a word of routing keys), never `async`. */
export const newProcessId = (prefix: string): string => `${prefix}${randomBytes(6).toString('hex')}`;

/** A secret of 256 random bits, as 43 characters of base64url. */
export const newSecret = (): string => randomBytes(32).toString('base64url');
