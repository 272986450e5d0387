import { describe, expect, it } from '@jest/globals';
import { BiscuitIssuer, maxIssuedTokenLength } from './biscuit-issuer.js';
import { inspectToken } from './inspect-token.js';
import { newSigningKey } from './signing-key.js';
import { decodeContainer, fromTokenText } from './token-container.js';

const times = { nowMs: Date.UTC(2026, 0, 1), lifetimeMs: 86_400_000 };
const key = newSigningKey(7);

describe('BiscuitIssuer', () => {
  it('writes user, organisation, role and expiry into one block and names the key', async () => {
    const issued = await new BiscuitIssuer(() => [key]).issue(
      { user: 'ada', org: 'acme', role: 'administrator' },
      times,
    );
    const read = await inspectToken(issued.token, [key]);
    expect(read).toMatchObject({
      rootKeyId: 7,
      signature: 'valid',
      principal: { user: 'ada', org: 'acme', role: 'administrator' },
      expiresAtMs: times.nowMs + times.lifetimeMs,
      warnings: [],
    });
    expect(read.blocks).toHaveLength(1);
    expect(issued).toMatchObject({
      revocationId: read.blocks[0]?.revocationId,
      expiresAtMs: times.nowMs + times.lifetimeMs,
    });
    expect(read.blocks[0]?.source).toContain('check if time($time), $time < 2026-01-02T00:00:00Z');
  });

  it.each(['x', 'é', '😀'])(
    'fits the largest names of %s into the buffer of the C client',
    async (character) => {
      const name = (first: string) => (first + character.repeat(64)).slice(0, character === '😀' ? 33 : 65);
      const fit = (text: string) => {
        let cut = text;
        while (Buffer.byteLength(cut) > 64) cut = [...cut].slice(0, -1).join('');
        return cut;
      };
      const largest = newSigningKey(16_383);
      const { token } = await new BiscuitIssuer(() => [largest]).issue(
        { user: fit(name('a')), org: fit(name('b')), role: 'administrator' },
        { nowMs: Date.UTC(9999, 0, 1), lifetimeMs: 86_400_000 },
      );
      expect(token.length).toBeLessThanOrEqual(maxIssuedTokenLength);
      expect(token).toMatch(/^[A-Za-z0-9_-]+={0,2}$/);
      expect(token.length % 4).toBe(0);
    },
  );

  it.each([
    ['a user of 65 bytes', { user: 'x'.repeat(65), org: undefined }],
    ['a user of 33 two-byte characters', { user: 'é'.repeat(33), org: undefined }],
    ['an empty user', { user: '', org: undefined }],
    ['an organisation of 65 bytes', { user: 'ada', org: 'x'.repeat(65) }],
  ])('refuses %s', async (_name, names) => {
    const issuing = new BiscuitIssuer(() => [key]).issue({ ...names, role: 'user' }, times);
    await expect(issuing).rejects.toMatchObject({ code: 'invalid-request' });
  });

  it('signs with the newest key, also when one is added later', async () => {
    const keys = [newSigningKey(2), newSigningKey(1)];
    const issuer = new BiscuitIssuer(() => keys);
    const principal = { user: 'ada', org: undefined, role: 'user' } as const;
    const keyIdOf = (token: string) => decodeContainer(fromTokenText(token)).rootKeyId;
    expect(keyIdOf((await issuer.issue(principal, times)).token)).toBe(2);
    keys.push(newSigningKey(3));
    expect(keyIdOf((await issuer.issue(principal, times)).token)).toBe(3);
  });

  it('never signs with a key whose halves do not belong together, or with none', async () => {
    const principal = { user: 'ada', org: undefined, role: 'user' } as const;
    const damaged = { ...key, publicKey: newSigningKey(7).publicKey };
    await expect(new BiscuitIssuer(() => [damaged]).issue(principal, times)).rejects.toMatchObject({
      code: 'internal-error',
    });
    await expect(new BiscuitIssuer(() => []).issue(principal, times)).rejects.toMatchObject({
      code: 'internal-error',
    });
  });

  it('keeps names that look like Datalog names', async () => {
    const user = 'a"); role("administrator"); user("b';
    const { token } = await new BiscuitIssuer(() => [key]).issue(
      { user, org: undefined, role: 'user' },
      times,
    );
    const read = await inspectToken(token, [key]);
    expect(read.principal).toEqual({ user, org: undefined, role: 'user' });
    expect(read.blocks[0]?.facts).toEqual([
      { name: 'user', values: [user] },
      { name: 'role', values: ['user'] },
    ]);
  });

  it('gives every token its own keys, so that no two have the same revocation id', async () => {
    const issuer = new BiscuitIssuer(() => [key]);
    const principal = { user: 'ada', org: undefined, role: 'user' } as const;
    const ids = new Set<string>();
    for (let round = 0; round < 50; round += 1) ids.add((await issuer.issue(principal, times)).revocationId);
    expect(ids.size).toBe(50);
  });
});

describe('newSigningKey', () => {
  it('makes another key each time', () => {
    expect(newSigningKey(1).privateKey).not.toBe(newSigningKey(1).privateKey);
    expect(newSigningKey(1)).toMatchObject({
      privateKey: expect.stringMatching(/^[0-9a-f]{64}$/),
      publicKey: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it.each([-1, 1.5, 16_384])('refuses the id %d', (id) => {
    expect(() => newSigningKey(id)).toThrow(RangeError);
  });
});
