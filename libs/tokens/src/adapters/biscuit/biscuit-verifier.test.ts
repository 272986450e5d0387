import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { attenuateToken } from './attenuate-token.js';
import { BiscuitIssuer } from './biscuit-issuer.js';
import { BiscuitVerifier } from './biscuit-verifier.js';
import { inspectToken } from './inspect-token.js';
import { newSigningKey } from './signing-key.js';
import { signDatalogText, signWithoutKeyId } from './testing/sign-datalog.js';

const startMs = Date.UTC(2026, 5, 1, 12);
const dayMs = 86_400_000;
const minuteMs = 60_000;
const key = newSigningKey(1);
const principal = { user: 'ada', org: 'acme', role: 'user' } as const;
const isoOf = (epochMs: number) => `${new Date(epochMs).toISOString().slice(0, 19)}Z`;

let nowMs = startMs;
const clock = { now: () => nowMs, monotonicMs: () => performance.now() };
// Valid tokens must be found valid on a busy machine as well, so nothing here is cut short.
const patient = { clock, limitMs: 30_000, queueTimeoutMs: 60_000 };

const issue = async (
  signingKey = key,
  who: { user: string; org: string | undefined; role: 'user' | 'administrator' } = principal,
) => (await new BiscuitIssuer(() => [signingKey]).issue(who, { nowMs, lifetimeMs: dayMs })).token;

let verifier: BiscuitVerifier;
beforeAll(async () => {
  verifier = new BiscuitVerifier(patient);
  await verifier.ready();
}, 60_000);
afterAll(() => verifier.close());
beforeEach(() => {
  nowMs = startMs;
  verifier.setRevoked([]);
  verifier.setKeys([key]);
});

const refusalOf = (token: string): Promise<{ code: string; message: string }> =>
  verifier.verify(token).then(
    () => {
      throw new Error('the token was accepted');
    },
    (error: { code: string; message: string }) => error,
  );

describe('a valid token', () => {
  it('names its user, organisation, role, expiry and revocation ids', async () => {
    const token = await issue();
    const { blocks } = await inspectToken(token);
    const expected = {
      principal,
      expiresAtMs: startMs + dayMs,
      revocationIds: blocks.map(({ revocationId }) => revocationId),
    };
    expect(await verifier.verify(token)).toEqual(expected);
    expect(verifier.verifyCached(token)).toEqual(expected);
  });

  it('is verified once for all who ask at the same time', async () => {
    const token = await issue();
    const [first, ...others] = await Promise.all(Array.from({ length: 200 }, () => verifier.verify(token)));
    expect(others.every((other) => other === first)).toBe(true);
  });

  it('is not known before it was verified', async () => {
    expect(verifier.verifyCached(await issue())).toBeUndefined();
  });

  it('without a role is a user, and its password is not read: COGNIT writes such tokens, and names no key', async () => {
    const source = `user("ada"); password("secret"); check if time($time), $time < ${isoOf(startMs + dayMs)};`;
    const token = await signWithoutKeyId(key, [source]);
    const verified = await verifier.verify(token);
    expect(verified.principal).toEqual({ user: 'ada', org: undefined, role: 'user' });
    expect(JSON.stringify(verified)).not.toContain('secret');
  });
});

describe('expiry', () => {
  it('is looked at on every call, also of a remembered token', async () => {
    const token = await issue();
    await verifier.verify(token);
    nowMs = startMs + dayMs - 1;
    expect(verifier.verifyCached(token)).toBeDefined();
    nowMs += 1;
    expect(() => verifier.verifyCached(token)).toThrow(expect.objectContaining({ code: 'token-expired' }));
    expect(await refusalOf(token)).toMatchObject({ code: 'token-expired', status: 401 });
  });

  it('refuses a token that was never seen before it expired', async () => {
    const token = await issue();
    nowMs = startMs + dayMs;
    expect(await refusalOf(token)).toMatchObject({ code: 'token-expired' });
  });

  it('of an appended block ends a remembered token earlier', async () => {
    const token = await attenuateToken(await issue(), { expiresAtMs: startMs + minuteMs });
    expect((await verifier.verify(token)).expiresAtMs).toBe(startMs + minuteMs);
    nowMs = startMs + minuteMs;
    expect(await refusalOf(token)).toMatchObject({ code: 'token-expired' });
  });

  it('written with "<=" includes the second that it names', async () => {
    const check = `check if time($t), $t <= ${isoOf(startMs + minuteMs)}`;
    const token = await attenuateToken(await issue(), { checks: [check] });
    expect((await verifier.verify(token)).expiresAtMs).toBe(startMs + minuteMs + 1000);
    nowMs = startMs + minuteMs + 999;
    expect(verifier.verifyCached(token)).toBeDefined();
    nowMs += 1;
    expect(await refusalOf(token)).toMatchObject({ code: 'token-expired' });
  });

  it('of the owner cannot be moved by a later one that a holder appends', async () => {
    const token = await attenuateToken(await issue(), { expiresAtMs: startMs + 30 * dayMs });
    expect((await verifier.verify(token)).expiresAtMs).toBe(startMs + dayMs);
  });

  it('cannot be fooled by a time that a holder appends', async () => {
    const past = isoOf(startMs - dayMs);
    const token = await attenuateToken(await issue(), {
      checks: [`time(${past}); check if time($t), $t <= ${past}`],
    });
    expect((await verifier.verify(token)).expiresAtMs).toBeLessThanOrEqual(startMs + dayMs);
    nowMs = startMs + dayMs;
    expect(await refusalOf(token)).toMatchObject({ code: 'token-expired' });
  });
});

describe('appended checks', () => {
  it('narrow what the token is good for', async () => {
    const token = await attenuateToken(await issue(), { checks: ['check if user("bob")'] });
    const refusal = await refusalOf(token);
    expect(refusal).toMatchObject({ code: 'invalid-token', status: 401 });
    expect(refusal.message).toContain('check if user("bob")');
  });

  it.each([
    'check if user("ada")',
    'check if user($u), $u.starts_with("a") && $u.length() < 9',
    'check all user($u), $u == "ada"',
    'reject if role("administrator")',
    'check if user($u), $u.matches("^[a-z]+$")',
  ])('that hold are accepted: %s', async (check) => {
    const token = await attenuateToken(await issue(), { checks: [check] });
    expect((await verifier.verify(token)).principal).toEqual(principal);
    expect((await verifier.verify(token)).revocationIds).toHaveLength(2);
  });

  it('that look at the time otherwise than an expiry are asked again as time passes', async () => {
    const end = startMs + minuteMs;
    const token = await attenuateToken(await issue(), {
      checks: [`reject if time($t), $t >= ${isoOf(end)}`],
    });
    await verifier.verify(token);
    expect(verifier.verifyCached(token)).toBeDefined();
    nowMs = end - 1;
    await verifier.verify(token);
    nowMs = end;
    expect(verifier.verifyCached(token)).toBeUndefined();
    expect(await refusalOf(token)).toMatchObject({ code: 'invalid-token' });
  });

  it('that name a start are refused before and accepted from then on', async () => {
    const from = startMs + minuteMs;
    const token = await attenuateToken(await issue(), {
      checks: [`check if time($t), $t >= ${isoOf(from)}`],
    });
    expect(await refusalOf(token)).toMatchObject({ code: 'invalid-token' });
    nowMs = from;
    expect((await verifier.verify(token)).principal).toEqual(principal);
  });
});

describe('privileges', () => {
  it.each([
    ['a role', 'role("administrator")'],
    ['another user', 'user("root")'],
    ['an organisation', 'org("other")'],
    ['all of them', 'user("root"); role("administrator"); org("other")'],
  ])('are not gained by appending %s', async (_name, facts) => {
    const token = await attenuateToken(await issue(), { checks: [facts] });
    expect((await verifier.verify(token)).principal).toEqual(principal);
  });

  it('are not gained by appending a rule', async () => {
    const token = await attenuateToken(await issue(), { checks: ['role("administrator") <- user($u)'] });
    expect(await refusalOf(token)).toMatchObject({ code: 'token-too-complex' });
  });

  it.each([
    ['no user', 'role("administrator");'],
    ['two users', 'user("ada"); user("bob");'],
    ['two roles', 'user("ada"); role("user"); role("administrator");'],
    ['two organisations', 'user("ada"); org("a"); org("b");'],
    ['a role that does not exist', 'user("ada"); role("root");'],
    ['a user that is a number', 'user(1);'],
    ['an empty user', 'user("");'],
    ['a user of 65 bytes', `user("${'x'.repeat(65)}");`],
  ])('a token with %s is refused though its signature is good', async (_name, source) => {
    expect(await refusalOf(await signDatalogText(key, [source]))).toMatchObject({ code: 'invalid-token' });
  });
});

describe('keys', () => {
  const newer = newSigningKey(2);

  it('a token of another key is refused', async () => {
    const stranger = newSigningKey(1);
    const refusal = await refusalOf(await issue(stranger));
    expect(refusal).toMatchObject({ code: 'invalid-token', message: expect.stringContaining('signature') });
  });

  it('a token of an unknown key id is refused, and accepted as soon as its key is there', async () => {
    const token = await issue(newer);
    expect(await refusalOf(token)).toMatchObject({ code: 'invalid-token' });
    verifier.setKeys([key, newer]);
    expect((await verifier.verify(token)).principal).toEqual(principal);
  });

  it('a refused signature is tried again when the keys change', async () => {
    const replacement = newSigningKey(1);
    const token = await issue(replacement);
    expect(await refusalOf(token)).toMatchObject({ code: 'invalid-token' });
    verifier.setKeys([replacement]);
    expect((await verifier.verify(token)).principal).toEqual(principal);
  });

  it('tokens of the old key live through a rotation, and die with their key', async () => {
    const token = await issue();
    await verifier.verify(token);
    verifier.setKeys([key, newer]);
    expect(verifier.verifyCached(token)).toBeDefined();
    verifier.setKeys([newer]);
    expect(verifier.verifyCached(token)).toBeUndefined();
    expect(await refusalOf(token)).toMatchObject({ code: 'invalid-token' });
  });

  it('a token that names no key is verified with the newest only', async () => {
    const source = `user("ada"); check if time($time), $time < ${isoOf(startMs + dayMs)};`;
    verifier.setKeys([newer, key]);
    expect(await refusalOf(await signWithoutKeyId(key, [source]))).toMatchObject({ code: 'invalid-token' });
    const token = await signWithoutKeyId(newer, [source]);
    await verifier.verify(token);
    verifier.setKeys([newer, key, newSigningKey(3)]);
    expect(verifier.verifyCached(token)).toBeUndefined();
  });

  it('without any key nothing can be said about a token', async () => {
    verifier.setKeys([]);
    expect(await refusalOf(await issue())).toMatchObject({ code: 'verifier-busy', status: 503 });
  });

  it('a damaged key is refused at once', () => {
    expect(() => verifier.setKeys([{ id: 1, publicKey: 'ed25519/00' }])).toThrow(/64 hex/);
  });
});

describe('revocation', () => {
  it('of the authority block refuses the token and everything made from it', async () => {
    const token = await issue();
    const attenuated = await attenuateToken(token, { checks: ['check if user("ada")'] });
    const { revocationIds } = await verifier.verify(token);
    await verifier.verify(attenuated);
    verifier.setRevoked(revocationIds);
    expect(() => verifier.verifyCached(token)).toThrow(expect.objectContaining({ code: 'token-revoked' }));
    expect(await refusalOf(attenuated)).toMatchObject({ code: 'token-revoked', status: 401 });
  });

  it('of an appended block leaves the token that it was made from', async () => {
    const token = await issue();
    const attenuated = await attenuateToken(token, { checks: ['check if user("ada")'] });
    const [, appended = ''] = (await verifier.verify(attenuated)).revocationIds;
    verifier.setRevoked([appended]);
    expect(await refusalOf(attenuated)).toMatchObject({ code: 'token-revoked' });
    expect((await verifier.verify(token)).principal).toEqual(principal);
  });

  it('refuses a token that was never seen, and can be taken back', async () => {
    const token = await issue();
    const [{ revocationId } = { revocationId: '' }] = (await inspectToken(token)).blocks;
    verifier.setRevoked([revocationId]);
    expect(await refusalOf(token)).toMatchObject({ code: 'token-revoked' });
    verifier.setRevoked([]);
    expect((await verifier.verify(token)).principal).toEqual(principal);
  });
});

describe('a changed token', () => {
  it('is never accepted as somebody else, whichever character is changed', async () => {
    const token = await issue();
    const outcomes = await Promise.all(
      Array.from({ length: Math.min(token.length, 250) }, (_unused, index) => {
        const changed = `${token.slice(0, index)}${token[index] === 'A' ? 'B' : 'A'}${token.slice(index + 1)}`;
        return verifier.verify(changed).then(
          () => 'accepted',
          (error: { code: string }) => error.code,
        );
      }),
    );
    expect(new Set(outcomes)).toEqual(new Set(['invalid-token']));
  });
});

describe('a process that was not warmed up', () => {
  let cold: BiscuitVerifier;
  afterEach(() => cold.close());

  it('verifies its first token as any other', async () => {
    cold = new BiscuitVerifier({ ...patient, keys: [key] });
    expect((await cold.verify(await issue())).principal).toEqual(principal);
  }, 60_000);

  it('answers "later" when the threads are not up in time, never that the token is bad', async () => {
    cold = new BiscuitVerifier({ clock, keys: [key], queueTimeoutMs: 1 });
    await expect(cold.verify(await issue())).rejects.toMatchObject({ code: 'verifier-busy', status: 503 });
  });

  it('refuses more than its queue holds', async () => {
    cold = new BiscuitVerifier({ ...patient, keys: [key], queueLimit: 2 });
    const tokens = await Promise.all(Array.from({ length: 4 }, () => issue()));
    const outcomes = await Promise.allSettled(tokens.map((token) => cold.verify(token)));
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(
      refused.every((outcome) => outcome.status === 'rejected' && outcome.reason.code === 'verifier-busy'),
    ).toBe(true);
  }, 60_000);

  it('answers those who wait when it is closed', async () => {
    cold = new BiscuitVerifier({ ...patient, keys: [key] });
    const waiting = cold.verify(await issue());
    const refused = expect(waiting).rejects.toMatchObject({ code: 'shutting-down' });
    await cold.close();
    await refused;
    await expect(cold.verify(await issue())).rejects.toMatchObject({ code: 'shutting-down' });
  });
});
