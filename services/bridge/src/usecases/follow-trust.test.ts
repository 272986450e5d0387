import { AppError, silentLogger, systemClock } from '@gantry/kernel';
import type { VerifiedToken, VerifyingKey } from '@gantry/tokens';
import { describe, expect, it } from '@jest/globals';
import { TrustFollower } from './follow-trust.js';

/** A cloud frontend that can be away; a token is good when its text is the id of a live key. */
function newTrust() {
  let keys: readonly VerifyingKey[] | undefined;
  let known: readonly VerifyingKey[] = [];
  let [asked, monotonicMs] = [0, 1e6];
  const trust = new TrustFollower({
    cloud: {
      readKeys: async () => {
        asked += 1;
        if (keys === undefined) throw new AppError('cloud-unavailable');
        return keys;
      },
      readRevoked: async () => [],
    },
    verifier: {
      setKeys: (next) => {
        known = next;
      },
      setRevoked: () => undefined,
      verifyCached: () => undefined,
      verify: async (token) => {
        if (!known.some(({ id }) => String(id) === token)) throw new AppError('invalid-token');
        return { revocationIds: [token] } as unknown as VerifiedToken;
      },
    },
    clock: { ...systemClock, monotonicMs: () => monotonicMs },
    logger: silentLogger,
  });
  return {
    trust,
    asked: () => asked,
    setKeys: (...ids: number[]) => {
      keys = ids.map((id) => ({ id, publicKey: '' }));
    },
    leave: () => {
      keys = undefined;
    },
    pass: (ms: number) => {
      monotonicMs += ms;
    },
  };
}

describe('whose tokens are good', () => {
  it('is not known before any key has come: nobody is told that his token is invalid', async () => {
    const { asked, pass, setKeys, trust } = newTrust();
    for (let turn = 0; turn < 5; turn += 1)
      await expect(trust.verify('1')).rejects.toMatchObject({ code: 'cloud-unavailable', status: 503 });
    expect([asked(), trust.hasKeys]).toEqual([1, false]);
    setKeys(1);
    pass(1000);
    expect(await trust.verify('1')).toMatchObject({ revocationIds: ['1'] });
    await expect(trust.verify('2')).rejects.toMatchObject({ code: 'invalid-token' });
  });

  it('is asked at once for a new key, and the known ones stay while the cloud frontend is away', async () => {
    const { leave, pass, setKeys, trust } = newTrust();
    setKeys(1);
    await trust.poll();
    setKeys(1, 2);
    pass(1000);
    expect(await trust.verify('2')).toMatchObject({ revocationIds: ['2'] });
    leave();
    pass(1000);
    await trust.poll();
    expect(await trust.verify('1')).toMatchObject({ revocationIds: ['1'] });
    await expect(trust.verify('3')).rejects.toMatchObject({ code: 'invalid-token' });
  });
});
