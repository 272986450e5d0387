import type { IncomingMessage } from 'node:http';
import { AppError } from '@gantry/kernel';
import { describe, expect, it } from '@jest/globals';
import { CallerCheck, openPrincipal } from './authorize.js';

const trust = {
  verify: async () => {
    throw new AppError('invalid-token');
  },
};
const requestWith = (headers: Record<string, string>) =>
  ({ headers: { host: '127.0.0.1:1341', ...headers } }) as unknown as IncomingMessage;

describe('open mode', () => {
  const callers = new CallerCheck(trust, true);

  it('lets programs of this machine in, and its own pages', async () => {
    for (const headers of [{}, { origin: 'http://127.0.0.1:1341' }, { host: 'localhost' }]) {
      const { principal } = await callers.callerOf(requestWith(headers), undefined, true);
      expect(principal).toBe(openPrincipal);
    }
  });

  it.each<Record<string, string>>([
    { host: 'evil.example' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://127.0.0.1:9999' },
    { origin: 'https://127.0.0.1:1341' },
    { forwarded: 'for=192.0.2.1' },
    { 'x-forwarded-for': '192.0.2.1' },
    { 'x-forwarded-proto': 'https' },
    { 'x-real-ip': '192.0.2.1' },
    { via: '1.1 proxy' },
  ])('refuses what comes from elsewhere: %j', async (headers) => {
    await expect(callers.callerOf(requestWith(headers), undefined, true)).rejects.toMatchObject({
      code: 'forbidden',
    });
    // A token is one, whichever way it comes.
    await expect(
      callers.callerOf(requestWith({ ...headers, token: 'x' }), undefined, true),
    ).rejects.toMatchObject({
      code: 'invalid-token',
    });
  });
});

it('says when a token is no longer in force, and not when nobody can be asked', async () => {
  let failure: AppError | undefined;
  const verify = async () => {
    if (failure !== undefined) throw failure;
    return { principal: openPrincipal } as never;
  };
  const { isInForce } = await new CallerCheck({ verify }, false).callerOf(
    requestWith({ token: 'x' }),
    undefined,
    false,
  );
  expect(await isInForce()).toBe(true);
  failure = new AppError('cloud-unavailable');
  expect(await isInForce()).toBe(true);
  failure = new AppError('token-expired');
  expect(await isInForce()).toBe(false);
});
