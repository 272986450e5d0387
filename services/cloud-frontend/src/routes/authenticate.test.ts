import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  argon2Hasher,
  movableClock,
  problemOf,
  startCloud,
  type TestCloud,
  userPassword,
} from '../cloud.fixture.js';
import type { PasswordHasher } from '../ports.js';

// Each start brings up the threads of a token verifier.
jest.setTimeout(30_000);

/** Argon2, and a record of what it was asked. */
function countingHasher() {
  const verified: string[] = [];
  let before = async () => {};
  const hasher: PasswordHasher = {
    hash: argon2Hasher.hash,
    verify: async (passwordHash, password) => {
      verified.push(passwordHash);
      await before();
      return argon2Hasher.verify(passwordHash, password);
    },
  };
  return {
    hasher,
    verified,
    set before(action: () => Promise<void>) {
      before = action;
    },
  };
}

/** Exactly these bytes, which fetch would not send. */
function sendRaw(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ status?: number; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/v1/authenticate`, { method: 'POST', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) }));
    });
    sent.on('error', reject).end();
  });
}
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

let cloud: TestCloud;
let counting: ReturnType<typeof countingHasher>;
const clock = movableClock();
beforeAll(async () => {
  counting = countingHasher();
  cloud = await startCloud({ hasher: counting.hasher, clock });
  await cloud.newUser('ada', { org: 'lab' });
});
afterAll(() => cloud.stop());

describe('signing in', () => {
  it.each<[string, Record<string, string>]>([
    [
      'with a JSON content type and length 0, as the C client',
      { 'content-type': 'application/json', 'content-length': '0' },
    ],
    ['with no content type, as the Python client', { 'content-length': '0' }],
    ['with a chunked body of nothing', { 'transfer-encoding': 'chunked' }],
  ])('answers 201 and exactly a JSON string %s', async (_how, headers) => {
    const { status, bytes } = await sendRaw(cloud.url, {
      authorization: basic(`ada:${userPassword}`),
      ...headers,
    });
    expect(status).toBe(201);
    expect(bytes.toString('latin1')).toMatch(/^"[A-Za-z0-9_-]+={0,2}"$/);
    expect(bytes.length - 2).toBeLessThanOrEqual(504);
  });

  it('keeps the token within the C client buffer for the longest names', async () => {
    const name = 'n'.repeat(64);
    const token = await cloud.newUser(name, { org: 'o'.repeat(64), role: 'administrator' });
    expect(token.length).toBeLessThanOrEqual(504);
    expect((await cloud.call('listAccounts', { token })).status).toBe(200);
  });

  it('accepts a password with colons and letters of any alphabet', async () => {
    const token = await cloud.newUser('colon', { password: 'a:b:c:ß:日本語:xyz' });
    expect((await cloud.call('listFunctions', { token })).status).toBe(200);
  });

  it.each([undefined, 'Bearer abc', 'Basic !!!', basic('no-colon')])(
    'asks for Basic when it gets %j',
    async (authorization) => {
      const answer = await cloud.call(
        'authenticate',
        authorization === undefined ? {} : { headers: { authorization } },
      );
      expect(problemOf(answer)).toEqual([401, 'not-authenticated']);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic/);
    },
  );

  it('refuses an unknown account like a wrong password: same answer, one hash of the same cost', async () => {
    const costOf = (hash = '') => hash.split('$').slice(0, 4).join('$');
    counting.verified.length = 0;
    const wrong = await cloud.signIn('ada', 'wrong password');
    const unknown = await cloud.signIn('nobody', 'wrong password');
    expect(counting.verified).toHaveLength(2);
    expect(costOf(counting.verified[1])).toBe('$argon2id$v=19$m=19456,t=2,p=1');
    expect(costOf(counting.verified[1])).toBe(costOf(counting.verified[0]));
    for (const answer of [wrong, unknown]) {
      expect(problemOf(answer)).toEqual([401, 'invalid-credentials']);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic/);
    }
    expect({ ...unknown.json, request_id: '' }).toEqual({ ...wrong.json, request_id: '' });
  });

  it.each(['', ' ', 'a/../b', 'x'.repeat(5000), 'null\u0000byte'])(
    'refuses the impossible name %j with one hash as well',
    async (name) => {
      counting.verified.length = 0;
      expect(problemOf(await cloud.signIn(name, 'wrong password'))).toEqual([401, 'invalid-credentials']);
      expect(counting.verified).toHaveLength(1);
    },
  );

  it('answers a token that says who it is for and expires after its lifetime', async () => {
    const token = (await cloud.signIn('ada', userPassword)).json;
    expect((await cloud.call('listFunctions', { token })).status).toBe(200);
    expect(problemOf(await cloud.call('listAccounts', { token }))).toEqual([403, 'forbidden']);
    clock.advance(24 * 3_600_000 + 2000);
    expect(problemOf(await cloud.call('listFunctions', { token }))).toEqual([401, 'token-expired']);
  });

  it('gives no token for a password that is changed while it is being checked', async () => {
    await cloud.newUser('racer');
    let isFirst = true;
    counting.before = async () => {
      if (!isFirst) return;
      isFirst = false;
      await cloud.store.accounts.setPasswordHash('racer', await argon2Hasher.hash('another password'));
      await cloud.store.tokens.revokeAllOf('racer');
    };
    expect(problemOf(await cloud.signIn('racer', userPassword))).toEqual([401, 'invalid-credentials']);
    expect(await cloud.store.tokens.listRevoked(clock.now())).not.toEqual([]);
  });
});

describe('the limit on sign-ins', () => {
  let limited: TestCloud;
  beforeAll(async () => {
    limited = await startCloud();
    for (const name of ['eve', 'mallory', 'trudy']) await limited.newUser(name);
  });
  afterAll(() => limited.stop());

  it('counts failures only, for one account: ten a minute, then 429 with Retry-After, also for the right password', async () => {
    for (let count = 0; count < 12; count += 1)
      expect((await limited.signIn('eve', userPassword)).status).toBe(201);
    for (let count = 0; count < 10; count += 1)
      expect(problemOf(await limited.signIn('eve', `wrong ${count}`))).toEqual([401, 'invalid-credentials']);
    for (const password of ['wrong', userPassword]) {
      const refused = await limited.signIn('eve', password);
      expect(problemOf(refused)).toEqual([429, 'too-many-sign-ins']);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    }
    expect((await limited.signIn('admin', limited.cloud.firstAccount?.password ?? '')).status).toBe(201);
  });

  it('holds for a burst: no more guesses than the limit and what is hashed at that moment', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => limited.signIn('mallory', `wrong ${index}`)),
    );
    const guessed = answers.filter(({ status }) => status === 401).length;
    expect(guessed).toBeGreaterThanOrEqual(10);
    expect(guessed).toBeLessThanOrEqual(11);
    expect(answers.every(({ status }) => status === 401 || status === 429)).toBe(true);
  });

  it('is counted in the metrics by how sign-ins ended', async () => {
    const countOf = async () =>
      Number(
        /sign_ins_total\{outcome="invalid-credentials"\} (\d+)/.exec(
          (await limited.metrics.expose()).text,
        )?.[1] ?? 0,
      );
    const before = await countOf();
    await limited.signIn('trudy', 'wrong password');
    expect(await countOf()).toBe(before + 1);
  });
});

describe('many sign-ins at once', () => {
  it('are refused with 429 when the queue is full, and the others served', async () => {
    let open = () => {};
    const opened = new Promise<boolean>((resolve) => {
      open = () => resolve(true);
    });
    // The time that real hashes take on a busy machine must not decide who is served.
    const hasher: PasswordHasher = { hash: argon2Hasher.hash, verify: () => opened };
    const busy = await startCloud({ hasher, settings: { hashConcurrency: 1 } });
    try {
      let refusals = 0;
      const attempts = Array.from({ length: 260 }, async () => {
        const answer = await busy.signIn('admin', 'a password');
        if (answer.status === 429) refusals += 1;
        // One is being checked and 256 wait: the other three are refused while the queue is full.
        if (refusals === 3) open();
        return answer;
      });
      const answers = await Promise.all(attempts);
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused).toHaveLength(3);
      for (const answer of refused) {
        expect(problemOf(answer)).toEqual([429, 'too-many-requests']);
        expect(answer.headers.get('retry-after')).toBe('1');
      }
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(257);
    } finally {
      open();
      await busy.stop();
    }
  });
});
