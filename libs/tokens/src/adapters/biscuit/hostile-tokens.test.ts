import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { attenuateToken } from './attenuate-token.js';
import { BiscuitIssuer } from './biscuit-issuer.js';
import { BiscuitVerifier } from './biscuit-verifier.js';
import { newSigningKey } from './signing-key.js';
import { appendToChain, decodeContainer, fromTokenText, toTokenText } from './token-container.js';

const key = newSigningKey(1);
const issue = async (user = 'ada') => {
  const principal = { user, org: undefined, role: 'user' } as const;
  return (await new BiscuitIssuer(() => [key]).issue(principal, { nowMs: Date.now(), lifetimeMs: 3_600_000 }))
    .token;
};
const facts = (amount: number) =>
  Array.from({ length: amount }, (_unused, index) => `f(${index})`).join('; ');
/** Within the limits of shape: 4096 combinations of facts, each of which compiles a large pattern anew. */
const slowCheck = (salt: number) =>
  `${facts(16)}; check if f($a), f($b), f($c), "aaaa".matches("(a{1,50}){1,20}b") || $a + $b + $c > ${1000 + salt}`;

/** What a thread may run for; a caller that stood still as long would have run the token itself. */
const limitMs = 250;

let verifier: BiscuitVerifier;
beforeAll(async () => {
  verifier = new BiscuitVerifier({ keys: [key], limitMs, queueTimeoutMs: 30_000 });
  await verifier.ready();
}, 60_000);
afterAll(() => verifier.close());

/** Verifies and says how it ended and how long the caller's event loop stood still at most. */
async function measure(token: string): Promise<{ code: string; status: number; blockedMs: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const error = await verifier.verify(token).then(
    () => ({ code: 'accepted', status: 200 }),
    (refusal: { code: string; status: number }) => refusal,
  );
  await new Promise((resolve) => setTimeout(resolve, 5));
  delay.disable();
  return { code: error.code, status: error.status, blockedMs: delay.max / 1e6 };
}

/** Another program on the machine may hold us up once: the median of several tokens of a kind tells. */
async function measureMedian(make: (salt: number) => Promise<string>) {
  const results = [];
  for (let salt = 0; salt < 3; salt += 1) results.push(await measure(await make(salt)));
  const blocked = results.map(({ blockedMs }) => blockedMs).sort((a, b) => a - b);
  return {
    codes: [...new Set(results.map(({ code }) => code))],
    statuses: [...new Set(results.map(({ status }) => status))],
    medianBlockedMs: blocked[1] ?? 0,
  };
}

const attenuated = (checks: (salt: number) => string[]) => async (salt: number) =>
  attenuateToken(await issue(), { checks: checks(salt) });

/** Appends blocks without looking at them. */
const appendBlocks = async (amount: number): Promise<string> => {
  let token = await issue();
  for (let block = 0; block < amount; block += 1)
    token = await attenuateToken(token, { checks: ['check if true'] });
  return token;
};

describe('hostile tokens', () => {
  const tooComplex: Record<string, (salt: number) => Promise<string>> = {
    'of 100 KB': async (salt) => `${await issue()}${'A'.repeat(100_000 + salt * 4)}`,
    'with five blocks': () => appendBlocks(4),
    'with a join of 60 facts': attenuated((salt) => [
      `${facts(60)}; check if f($a), f($b), f($c), $a + $b + $c > ${1000 + salt}`,
    ]),
    'with a join of four predicates': attenuated((salt) => [
      `check if user($a), user($b), user($c), user($d), ${salt} > 9`,
    ]),
    'with a rule that makes facts': attenuated((salt) => [`${facts(8)}; g($a, $b, ${salt}) <- f($a), f($b)`]),
    'with a long expression': attenuated((salt) => [`check if ${'1 + '.repeat(200)}${salt} > 0`]),
    'with loops over collections': attenuated((salt) => [
      `check if {1, 2, 3}.all($a -> {1, 2, 3}.all($b -> {1, 2, 3}.any($c -> $a + $b + $c > ${salt})))`,
    ]),
    'with many regular expressions': attenuated((salt) => [
      Array.from(
        { length: 5 },
        (_unused, index) => `check if "a${salt}".matches("(a{1,9}){${index},9}")`,
      ).join('; '),
    ]),
    'that trusts earlier blocks': attenuated((salt) => [`check if user($u), ${salt} < 9 trusting previous`]),
    'with a third-party block': async () => {
      const container = decodeContainer(
        fromTokenText(await attenuateToken(await issue(), { checks: ['check if true'] })),
      );
      const [authority, appended] = container.blocks;
      if (authority === undefined || appended === undefined) throw new Error('two blocks expected');
      return toTokenText({
        ...container,
        blocks: [authority, { ...appended, external: new Uint8Array([1, 2]) }],
      });
    },
    'whose checks take seconds': attenuated((salt) => [slowCheck(salt)]),
  };

  it.each(Object.entries(tooComplex))(
    'one %s is answered 401 and does not hold up the caller',
    async (_name, make) => {
      const { codes, statuses, medianBlockedMs } = await measureMedian(make);
      expect(codes).toEqual(['token-too-complex']);
      expect(statuses).toEqual([401]);
      expect(medianBlockedMs).toBeLessThan(limitMs);
    },
    60_000,
  );

  const malformed: Record<string, () => Promise<string>> = {
    'that is empty': async () => '',
    'of random characters': async () => 'A'.repeat(400),
    'with a line break': async () => `${await issue()}\n`,
    'in standard base64': async () => `${(await issue()).slice(0, -8)}++++//==`,
    'that is cut off': async () => (await issue()).slice(0, 200),
    'with bytes behind it': async () =>
      Buffer.concat([fromTokenText(await issue()), Buffer.from([0x2a, 1, 0])]).toString('base64url'),
    'with deep parentheses': async () => {
      const checks = [`check if ${'('.repeat(40)}true${')'.repeat(40)} && false`];
      return attenuateToken(await issue(), { checks });
    },
    'whose last block is noise': async () => {
      const container = decodeContainer(fromTokenText(await issue()));
      const noise = appendToChain(container, Buffer.from('180322ffffffff0f', 'hex').subarray(0, 2));
      const [authority, appended] = noise.blocks;
      if (authority === undefined || appended === undefined) throw new Error('two blocks expected');
      return toTokenText({
        ...noise,
        blocks: [authority, { ...appended, block: Buffer.from([0x22, 0x7f, 1]) }],
      });
    },
  };

  it.each(Object.entries(malformed))(
    'one %s is answered 401 and does not hold up the caller',
    async (_name, make) => {
      const { codes, medianBlockedMs } = await measureMedian(make);
      expect(codes).toEqual(['invalid-token']);
      expect(medianBlockedMs).toBeLessThan(limitMs);
    },
    60_000,
  );

  it('are remembered, so that the same one costs a thread only once', async () => {
    const token = await attenuateToken(await issue(), { checks: [slowCheck(77)] });
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'token-too-complex' });
    expect(() => verifier.verifyCached(token)).toThrow(
      expect.objectContaining({ code: 'token-too-complex' }),
    );
  }, 30_000);

  it('leave the verifier able to verify an attenuated token', async () => {
    const killing = await attenuateToken(await issue(), { checks: [slowCheck(78)] });
    await expect(verifier.verify(killing)).rejects.toMatchObject({ code: 'token-too-complex' });
    const patient = await attenuateToken(await issue('bob'), { checks: ['check if user("bob")'] });
    expect((await verifier.verify(patient)).principal.user).toBe('bob');
  }, 30_000);
});

describe('a flood of different hostile tokens', () => {
  it('neither stops valid tokens, new or known, nor kills threads without end', async () => {
    const flooded = new BiscuitVerifier({ keys: [key], limitMs: 100, queueLimit: 20, queueTimeoutMs: 500 });
    await flooded.ready();
    try {
      const known = await issue('known');
      await flooded.verify(known);
      const base = await issue('mallory');
      const tokens = [];
      for (let salt = 0; salt < 40; salt += 1) {
        tokens.push(await attenuateToken(base, { checks: [slowCheck(1000 + salt)] }));
      }
      const codeOf = (token: string) =>
        flooded.verify(token).then(
          () => 'accepted',
          (error: { code: string }) => error.code,
        );
      const flood = Promise.all(tokens.map(codeOf));
      for (let round = 0; round < 10; round += 1) {
        expect(flooded.verifyCached(known)?.principal.user).toBe('known');
        expect((await flooded.verify(await issue(`new-${round}`))).principal.user).toBe(`new-${round}`);
      }
      const first = await flood;
      expect(first).not.toContain('accepted');
      expect(first).toContain('token-too-complex');
      const again = await Promise.all(tokens.map(codeOf));
      const killed = again.filter((code) => code === 'token-too-complex').length;
      // The queue was filled before the budget was spent, so it can be overdrawn by what waited.
      expect(killed).toBeLessThanOrEqual(10 + 20 + 1);
      expect(again.every((code) => code === 'token-too-complex' || code === 'verifier-busy')).toBe(true);
    } finally {
      await flooded.close();
    }
  }, 60_000);
});
