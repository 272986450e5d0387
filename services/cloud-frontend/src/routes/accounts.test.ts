import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { base64, problemOf, startCloud, type TestCloud, userPassword } from '../cloud.fixture.js';

// Each start brings up the threads of a token verifier.
jest.setTimeout(30_000);

let cloud: TestCloud;
let admin: string;
let name: string;
let count = 0;
beforeAll(async () => {
  cloud = await startCloud({ settings: { defaultQuotaFunctions: 7, defaultQuotaFunctionBytes: 4096 } });
  admin = await cloud.adminToken();
});
beforeEach(() => {
  count += 1;
  name = `ada-${count}`;
});
afterAll(() => cloud.stop());

const create = (body: Readonly<Record<string, unknown>> = {}, token = admin) =>
  cloud.call('createAccount', { token, body: { name, password: userPassword, ...body } });
const remove = (token = admin) => cloud.call('deleteAccount', { token, params: { name } });

describe('accounts', () => {
  it('are created with the default quotas, and never show their password', async () => {
    const answer = await create({ org: 'lab' });
    expect(answer.json).toEqual({
      name,
      role: 'user',
      org: 'lab',
      created_at: expect.any(String),
      quota_functions: 7,
      quota_function_bytes: 4096,
    });
    expect(problemOf(await create())).toEqual([409, 'account-exists']);
    const account = await cloud.store.accounts.find(name);
    expect(account?.passwordHash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it.each([
    ['a short password', { password: 'short' }, '/body/password'],
    ['a name with a colon, which Basic cannot carry', { name: 'a:b' }, '/body/name'],
    ['a name too long for a token', { name: 'a'.repeat(65) }, '/body/name'],
    ['the name me, which means the caller', { name: 'me' }, '/body/name'],
    ['an unknown role', { role: 'root' }, '/body/role'],
    ['an unknown key', { quota: 1 }, '/body'],
  ])('are refused with %s', async (_what, wrong, pointer) => {
    const answer = await create(wrong);
    expect(problemOf(answer)).toEqual([422, 'invalid-request']);
    expect(answer.json.errors[0].pointer).toBe(pointer);
  });

  it('are listed by name in pages', async () => {
    for (const other of ['zoe', 'bob']) await create({ name: other });
    const names: string[] = [];
    let query: Record<string, string | number> = { limit: 2 };
    for (;;) {
      const { json, text } = await cloud.call('listAccounts', { token: admin, query });
      expect(text).not.toContain('argon2');
      names.push(...json.items.map((account: { name: string }) => account.name));
      if (json.next_cursor === null) break;
      query = { limit: 2, cursor: json.next_cursor };
    }
    expect(names).toEqual(expect.arrayContaining(['admin', 'bob', 'zoe']));
    expect(names.every((one, index) => index === 0 || String(names[index - 1]) < one)).toBe(true);
  });

  it('take their documents and their tokens with them', async () => {
    const token = await cloud.newUser(name);
    const upload = { LANG: 'JS', FC: base64('x'), FC_HASH: 'h' };
    const id = (await cloud.call('uploadFunction', { token, body: upload })).json;
    expect((await remove()).status).toBe(204);
    expect(problemOf(await cloud.call('listFunctions', { token }))).toEqual([401, 'token-revoked']);
    expect((await cloud.call('readFunction', { token: admin, params: { id } })).status).toBe(404);
    expect(problemOf(await remove())).toEqual([404, 'account-not-found']);
    expect(problemOf(await cloud.signIn(name, userPassword))).toEqual([401, 'invalid-credentials']);
    expect((await cloud.cloud.link.readRevoked()).length).toBeGreaterThanOrEqual(1);
    const again = await cloud.newUser(name);
    expect((await cloud.call('listFunctions', { token: again })).json.items).toEqual([]);
    expect(problemOf(await cloud.call('listFunctions', { token }))).toEqual([401, 'token-revoked']);
  });

  it('always include an administrator', async () => {
    const own = await startCloud();
    try {
      const first = await own.adminToken();
      const removeBy = (token: string, who: string) =>
        own.call('deleteAccount', { token, params: { name: who } });
      expect(problemOf(await removeBy(first, 'admin'))).toEqual([409, 'last-administrator']);
      const second = await own.newUser('root', { role: 'administrator' });
      expect((await removeBy(second, 'admin')).status).toBe(204);
      expect(problemOf(await own.call('listAccounts', { token: first }))).toEqual([401, 'token-revoked']);
      expect(problemOf(await removeBy(second, 'root'))).toEqual([409, 'last-administrator']);
    } finally {
      await own.stop();
    }
  });

  it('are for administrators only', async () => {
    const token = await cloud.newUser(name);
    const params = { name };
    for (const answer of [
      await create({ name: 'eve' }, token),
      await cloud.call('listAccounts', { token }),
      await remove(token),
      await cloud.call('setAccountPassword', { token, params, body: { password: 'a new password' } }),
    ])
      expect(problemOf(answer)).toEqual([403, 'forbidden']);
  });
});

describe('passwords', () => {
  it('are changed by their owner, who needs the current one; every token of the account ends', async () => {
    const token = await cloud.newUser(name);
    const other = (await cloud.signIn(name, userPassword)).json;
    const change = (current: string) =>
      cloud.call('setOwnPassword', {
        token,
        body: { password: 'a new password', current_password: current },
      });
    expect(problemOf(await change('wrong password'))).toEqual([401, 'invalid-credentials']);
    expect((await change(userPassword)).status).toBe(204);
    for (const old of [token, other])
      expect(problemOf(await cloud.call('listFunctions', { token: old }))).toEqual([401, 'token-revoked']);
    expect((await cloud.signIn(name, userPassword)).status).toBe(401);
    const fresh = await cloud.signIn(name, 'a new password');
    expect((await cloud.call('listFunctions', { token: fresh.json })).status).toBe(200);
  });

  it('cannot be guessed through the route that changes them', async () => {
    const token = await cloud.newUser(name);
    const guess = () =>
      cloud.call('setOwnPassword', {
        token,
        body: { password: 'a new password', current_password: 'a guess' },
      });
    for (let guesses = 0; guesses < 10; guesses += 1) expect((await guess()).status).toBe(401);
    expect(problemOf(await guess())).toEqual([429, 'too-many-sign-ins']);
  });

  it('are set by administrators, which ends every token of the account', async () => {
    const token = await cloud.newUser(name);
    const set = (of: string) =>
      cloud.call('setAccountPassword', {
        token: admin,
        params: { name: of },
        body: { password: 'a new password' },
      });
    expect((await set(name)).status).toBe(204);
    expect(problemOf(await cloud.call('listFunctions', { token }))).toEqual([401, 'token-revoked']);
    expect((await cloud.signIn(name, 'a new password')).status).toBe(201);
    expect(problemOf(await set('nobody'))).toEqual([404, 'account-not-found']);
  });

  it('have twelve characters at least', async () => {
    const token = await cloud.newUser(name);
    const body = { password: 'short', current_password: userPassword };
    expect(problemOf(await cloud.call('setOwnPassword', { token, body }))).toEqual([422, 'invalid-request']);
  });
});
