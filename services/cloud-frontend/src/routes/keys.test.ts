import { attenuateToken, BiscuitIssuer, inspectToken, newSigningKey } from '@gantry/tokens';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { movableClock, problemOf, startCloud, type TestCloud, userPassword } from '../cloud.fixture.js';

// Each start brings up the threads of a token verifier.
jest.setTimeout(30_000);

let clock: ReturnType<typeof movableClock>;
let cloud: TestCloud;
let admin: string;
let name: string;
let count = 0;
let second: TestCloud | undefined;
beforeAll(async () => {
  clock = movableClock();
  cloud = await startCloud({ clock });
});
beforeEach(async () => {
  admin = await cloud.adminToken();
  count += 1;
  name = `ada-${count}`;
});
afterEach(async () => {
  await second?.stop();
  second = undefined;
});
afterAll(() => cloud.stop());

const rotate = () => cloud.call('rotateKey', { token: admin });
const keysOf = async (one: TestCloud) => (await one.call('publicKeys')).json;
/** `good`, or the code of the refusal. */
const tryToken = async (one: TestCloud, token: string): Promise<string> => {
  const { status, json } = await one.call('listFunctions', { token });
  return status === 200 ? 'good' : json.code;
};
/** Asks until the answer is the one that is waited for. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 5000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error('it did not become so within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
async function another(): Promise<TestCloud> {
  second = await startCloud({ clock, folder: cloud.folder, settings: { refreshSeconds: 1 } });
  return second;
}

describe('public keys', () => {
  it('are exactly 64 lower-case hex characters in a JSON string', async () => {
    const { text, status } = await cloud.call('publicKey');
    expect(status).toBe(200);
    expect(text).toMatch(/^"[0-9a-f]{64}"$/);
  });

  it('are added by rotation; tokens of the older key live', async () => {
    const before = await keysOf(cloud);
    const old = await cloud.newUser(name);
    const rotated = await rotate();
    const id = before.length + 1;
    expect(rotated).toMatchObject({ status: 201, json: { id, is_current: true } });
    const retired = before.map((key: object) => ({ ...key, is_current: false }));
    expect(await keysOf(cloud)).toEqual([...retired, rotated.json]);
    expect((await cloud.call('publicKey')).json).toBe(rotated.json.public_key);
    const fresh = (await cloud.signIn(name, userPassword)).json;
    expect(await inspectToken(fresh)).toMatchObject({ rootKeyId: id });
    for (const token of [old, fresh]) expect(await tryToken(cloud, token)).toBe('good');
  });

  it('are added by administrators only', async () => {
    expect(problemOf(await cloud.call('rotateKey', { token: await cloud.newUser(name) }))).toEqual([
      403,
      'forbidden',
    ]);
    expect(problemOf(await cloud.call('rotateKey'))).toEqual([400, 'missing-token']);
  });

  it('retire once no token of theirs can be alive', async () => {
    await rotate();
    clock.advance(24 * 3_600_000);
    const { json: token } = await cloud.signIn('admin', cloud.cloud.firstAccount?.password ?? '');
    clock.advance(6 * 60_000);
    await cloud.call('rotateKey', { token });
    const newest = (await cloud.call('rotateKey', { token })).json.id;
    const living = [newest - 2, newest - 1, newest];
    expect((await keysOf(cloud)).map(({ id }: { id: number }) => id)).toEqual(living);
    expect((await cloud.store.keys.list()).map(({ id }) => id)).toEqual(living);
  });

  it('never give two frontends the same id', async () => {
    const other = await another();
    const newest = (await cloud.store.keys.list()).at(-1)?.id ?? 0;
    await Promise.all([rotate(), other.call('rotateKey', { token: admin }), rotate()]);
    const added = (await cloud.store.keys.list()).map(({ id }) => id).filter((id) => id > newest);
    expect(added).toEqual([newest + 1, newest + 2, newest + 3]);
  });

  it('are kept across restarts, and so are tokens', async () => {
    const token = await cloud.newUser(name);
    await rotate();
    const again = await another();
    expect(await keysOf(again)).toEqual(await keysOf(cloud));
    expect(again.cloud.firstAccount).toBeUndefined();
    expect(await tryToken(again, token)).toBe('good');
  });
});

describe('two frontends on one store', () => {
  it('take the tokens of a key that the other made a moment ago', async () => {
    const other = await another();
    await rotate();
    const token = await cloud.newUser(name);
    expect(await tryToken(other, token)).toBe('good');
  });

  it('refuse within seconds what the other revoked', async () => {
    const other = await another();
    const token = await cloud.newUser(name);
    expect(await tryToken(other, token)).toBe('good');
    await cloud.call('deleteAccount', { token: admin, params: { name } });
    await until(async () => (await other.call('listFunctions', { token })).json.code === 'token-revoked');
  });
});

describe('tokens that are not ours', () => {
  it('are refused: a key that we never had, under an id that we have', async () => {
    const id = (await keysOf(cloud)).at(-1).id;
    const issuer = new BiscuitIssuer(() => [newSigningKey(id)]);
    const principal = { user: 'admin', org: undefined, role: 'administrator' } as const;
    const { token } = await issuer.issue(principal, { nowMs: clock.now(), lifetimeMs: 60_000 });
    expect(problemOf(await cloud.call('listAccounts', { token }))).toEqual([401, 'invalid-token']);
  });
});

describe('revocation', () => {
  const idsOf = async (token: string): Promise<readonly string[]> =>
    (await inspectToken(token)).blocks.map(({ revocationId }) => revocationId);
  const revoke = (token: string, revocation_id: string | undefined) =>
    cloud.call('revokeToken', { token, body: { revocation_id } });

  it('ends an own token at once, and tells everybody its id', async () => {
    const [token, other] = [await cloud.newUser(name), (await cloud.signIn(name, userPassword)).json];
    const [id] = await idsOf(other);
    expect((await revoke(token, id)).status).toBe(204);
    expect(problemOf(await cloud.call('listFunctions', { token: other }))).toEqual([401, 'token-revoked']);
    expect(await tryToken(cloud, token)).toBe('good');
    expect((await cloud.call('revocations')).json.revocation_ids).toContain(id);
    expect(await cloud.cloud.link.readRevoked()).toContain(id);
  });

  it('ends an attenuated token by its own block, and leaves the one it was made of', async () => {
    const token = await cloud.newUser(name);
    const attenuated = await attenuateToken(token, { expiresAtMs: clock.now() + 60_000 });
    expect(await tryToken(cloud, attenuated)).toBe('good');
    expect((await revoke(attenuated, (await idsOf(attenuated))[1])).status).toBe(204);
    expect(await tryToken(cloud, attenuated)).toBe('token-revoked');
    expect(await tryToken(cloud, token)).toBe('good');
  });

  it('of a token of somebody else is for administrators', async () => {
    const [adas, bobs] = [await cloud.newUser(name), await cloud.newUser(`${name}-b`)];
    expect(problemOf(await revoke(bobs, (await idsOf(adas))[0]))).toEqual([403, 'forbidden']);
    expect(problemOf(await revoke(bobs, 'ab'.repeat(64)))).toEqual([403, 'forbidden']);
    expect((await revoke(admin, (await idsOf(adas))[0])).status).toBe(204);
    expect(await tryToken(cloud, adas)).toBe('token-revoked');
  });

  it.each(['', 'xyz', 'AB'.repeat(64), 7])('needs a revocation id: %j is 422', async (revocation_id) => {
    const answer = await cloud.call('revokeToken', { token: admin, body: { revocation_id } });
    expect(problemOf(answer)).toEqual([422, 'invalid-request']);
  });

  it('is forgotten once the token has expired', async () => {
    const token = await cloud.newUser(name);
    await revoke(token, (await idsOf(token))[0]);
    clock.advance(25 * 3_600_000);
    expect((await cloud.call('revocations')).json).toEqual({ revocation_ids: [] });
  });
});
