import { describe, expect, it } from '@jest/globals';
import { attenuateToken } from './attenuate-token.js';
import { BiscuitIssuer } from './biscuit-issuer.js';
import { inspectToken } from './inspect-token.js';
import { newSigningKey } from './signing-key.js';
import { signWithoutKeyId } from './testing/sign-datalog.js';

const key = newSigningKey(5);
const nowMs = Date.UTC(2026, 0, 1);
const issue = async () => {
  const principal = { user: 'ada', org: undefined, role: 'user' } as const;
  return (await new BiscuitIssuer(() => [key]).issue(principal, { nowMs, lifetimeMs: 3_600_000 })).token;
};

describe('inspectToken', () => {
  it('says what an attenuated token holds, also without the key', async () => {
    const checks = ['check if user("ada")'];
    const token = await attenuateToken(await issue(), { expiresAtMs: nowMs + 60_000, checks });
    const read = await inspectToken(token);
    expect(read).toMatchObject({
      length: token.length,
      rootKeyId: 5,
      signature: 'unknown',
      isSealed: false,
      principal: { user: 'ada', role: 'user' },
      expiresAtMs: nowMs + 60_000,
    });
    expect(read.blocks.map(({ source }) => source.split('\n').filter(Boolean))).toEqual([
      ['user("ada");', 'role("user");', 'check if time($time), $time < 2026-01-01T01:00:00Z;'],
      ['check if time($time), $time < 2026-01-01T00:01:00Z;', 'check if user("ada");'],
    ]);
  });

  it('says whether the signature is good', async () => {
    const token = await issue();
    expect(await inspectToken(token, [key])).toMatchObject({ signature: 'valid' });
    expect(await inspectToken(token, [newSigningKey(5)])).toMatchObject({ signature: 'invalid' });
    expect(await inspectToken(token, [newSigningKey(6)])).toMatchObject({ signature: 'invalid' });
  });

  it('warns of a password and does not print it', async () => {
    const read = await inspectToken(await signWithoutKeyId(key, ['user("ada"); password("pa55 wörd");']));
    expect(JSON.stringify(read)).not.toContain('pa55');
    expect(read.warnings.join(' ')).toMatch(/password/);
    expect(read.warnings.join(' ')).toMatch(/no expiry/);
    expect(read.rootKeyId).toBeUndefined();
  });

  it('warns of a token that is too long for the C client, and of one that edge frontends refuse', async () => {
    let token = await issue();
    for (let block = 0; block < 4; block += 1)
      token = await attenuateToken(token, { checks: ['check if user("ada")'] });
    const { warnings } = await inspectToken(token);
    expect(warnings.join(' ')).toMatch(/504/);
    expect(warnings.join(' ')).toMatch(/5 blocks/);
  });

  it.each(['', 'not a token', 'AAAA'])('refuses %j', async (text) => {
    await expect(inspectToken(text)).rejects.toMatchObject({ code: 'invalid-token' });
  });
});

describe('attenuateToken', () => {
  it('refuses a check that cannot be read', async () => {
    await expect(attenuateToken(await issue(), { checks: ['check iff'] })).rejects.toMatchObject({
      code: 'invalid-request',
      message: expect.stringContaining('check iff'),
    });
  });

  it('refuses what is not a token', async () => {
    await expect(attenuateToken('AAAA', {})).rejects.toMatchObject({ code: 'invalid-token' });
  });
});
