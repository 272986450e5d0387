import { runInNewContext } from 'node:vm';
import { problems } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AppError, hasCode, isAppError, messageOf } from './app-error.js';
import { fullJitterMs } from './backoff.js';
import { delay, isDeadlineError, withDeadline } from './deadline.js';
import { asyncPrefix, newId, newProcessId, newSecret } from './ids.js';

describe('AppError', () => {
  it('takes status, title and retry time from the problem table', () => {
    expect(new AppError('queue-full')).toMatchObject({
      status: 503,
      message: problems['queue-full'].title,
      retryable: true,
      retryAfterMs: 1000,
      headers: {},
    });
    expect(new AppError('forbidden', 'Only administrators')).toMatchObject({
      status: 403,
      message: 'Only administrators',
      retryAfterMs: undefined,
    });
  });

  it('keeps cause, field errors and its own retry time', () => {
    const cause = new Error('socket closed');
    const errors = [{ pointer: '/body/0', detail: 'must be base64' }];
    const error = new AppError('invalid-request', 'x', { cause, errors, retryAfterMs: 50 });
    expect(error).toMatchObject({ cause, errors, retryAfterMs: 50 });
  });

  it('is recognised by its code, also from another realm', () => {
    const foreign: unknown = runInNewContext(
      "Object.assign(new Error('full'), { code: 'queue-full', retryable: true })",
    );
    expect(foreign instanceof Error).toBe(false);
    expect(hasCode(foreign, 'queue-full')).toBe(true);
    expect(hasCode(foreign, 'forbidden')).toBe(false);
    expect(messageOf(foreign)).toBe('full');
  });

  it.each([
    ['an error of node', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })],
    ['a code that only the prototype of the table has', { code: 'toString', retryable: true }],
    ['a string', 'queue-full'],
    ['null', null],
  ])('does not take %s for one of ours', (_name, value) => {
    expect(isAppError(value)).toBe(false);
  });

  it('finds the text of anything that was thrown', () => {
    expect([messageOf(new Error('a')), messageOf('b'), messageOf(undefined), messageOf(null)]).toEqual([
      'a',
      'b',
      'undefined',
      'null',
    ]);
  });
});

describe('fullJitterMs', () => {
  it('stays between 0 and the cap of the attempt', () => {
    fc.assert(
      fc.property(
        fc.nat(2000),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, baseMs, maxMs, random) => {
          const ms = fullJitterMs(attempt, baseMs, maxMs, () => random);
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(ms).toBeLessThanOrEqual(Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30)));
          expect(Number.isSafeInteger(ms)).toBe(true);
        },
      ),
    );
  });
});

describe('withDeadline', () => {
  it('answers what the work answers', async () => {
    await expect(withDeadline(Promise.resolve(7), 1000, 'work')).resolves.toBe(7);
    await expect(withDeadline(Promise.reject(new Error('no')), 1000, 'work')).rejects.toThrow('no');
  });

  it('rejects with an error that names the work and the time', async () => {
    const late = withDeadline(new Promise(() => undefined), 5, 'the publish');
    const error: unknown = await late.catch((reason: unknown) => reason);
    expect(isDeadlineError(error)).toBe(true);
    expect(messageOf(error)).toBe('the publish did not finish within 5 ms');
    expect(isDeadlineError(new Error('other'))).toBe(false);
  });
});

describe('delay', () => {
  it('rejects as soon as its signal aborts', async () => {
    const abort = new AbortController();
    const waiting = delay(60_000, abort.signal);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('ids', () => {
  it('ids sort by time and are UUIDv7', () => {
    const ids = Array.from({ length: 200 }, newId);
    expect(ids.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('process ids are one word of a routing key and never the word of asynchronous executions', () => {
    const id = newProcessId('fe');
    expect(id).toMatch(/^fe[0-9a-f]{12}$/);
    expect(id).not.toBe(asyncPrefix);
    expect(newProcessId('fe')).not.toBe(id);
  });

  it('secrets have 256 bits', () => {
    expect(Buffer.from(newSecret(), 'base64url')).toHaveLength(32);
    expect(newSecret()).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });
});
