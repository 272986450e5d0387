import { AppError, type Logger, silentLogger } from '@gantry/kernel';
import { describe, expect, it } from '@jest/globals';
import { CallGuard } from './call-guard.js';

const never = () => new Promise<never>(() => undefined);
const guardWith = (logger: Logger = silentLogger, timeoutMs = 60) =>
  new CallGuard({ timeoutMs, maxCalls: 2, location: 'here', logger });

describe('the guard of calls', () => {
  it('ends a call at its deadline and does not mind what it does afterwards', async () => {
    const guard = guardWith();
    let fail: (error: Error) => void = () => undefined;
    const late = guard.run('find', () => new Promise((_, reject) => (fail = reject)));
    await expect(late).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringContaining('find'),
    });
    fail(new Error('too late'));
    expect(await guard.run('find', async () => 1)).toBe(1);
  });

  it('counts calls until they really end, so that a hung database is not piled upon', async () => {
    const guard = guardWith();
    const hung = [guard.run('a', never), guard.run('b', never)];
    expect((await Promise.allSettled(hung)).map((each) => each.status)).toEqual(['rejected', 'rejected']);
    await expect(guard.run('c', async () => 1)).rejects.toMatchObject({ code: 'store-unavailable' });
  });

  it('closes although a call never ends', async () => {
    const guard = guardWith();
    const hung = guard.run('a', never).catch((error: AppError) => error.code);
    await guard.close();
    await expect(guard.run('b', async () => 1)).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(await hung).toBe('store-unavailable');
  });

  it('reports a row of failures once, and the recovery', async () => {
    const lines: string[] = [];
    const note = (message: string) => void lines.push(message);
    const guard = guardWith({ error: note, warn: note, info: note, debug: note });
    const fail = () =>
      guard
        .run('a', async () => Promise.reject(new AppError('store-unavailable', 'gone')))
        .catch(() => undefined);
    await fail();
    await fail();
    await guard.run('b', async () => 1);
    await guard.run('b', async () => 2);
    expect(lines).toEqual(['store.unavailable', 'store.recovered']);
  });

  it('passes errors of the domain on as they are', async () => {
    const wrapped = guardWith().wrap({
      size: 3,
      find: async () => Promise.reject(new AppError('quota-exceeded')),
    });
    expect(wrapped.size).toBe(3);
    await expect(wrapped.find()).rejects.toMatchObject({ code: 'quota-exceeded' });
  });
});
