import { generateKeyPairSync } from 'node:crypto';
import { callerHeader, type NodeCredential } from '@gantry/contracts';
import { signStatement, systemClock, toPrivateKey } from '@gantry/kernel';
import { describe, expect, it } from '@jest/globals';
import { createCallerVerifier } from './verify-statement.js';

function newKey() {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const hex = (text: string | undefined) => Buffer.from(text ?? '', 'base64url').toString('hex');
  return { privateKey: toPrivateKey(hex(jwk.d)), publicKey: hex(jwk.x) };
}
const [key, other] = [newKey(), newKey()];
const credential: NodeCredential = {
  name: 'n1',
  credential: 'biscuit',
  expires_at: '2030-01-01T00:00:00Z',
  bridge_keys: [{ id: 1, public_key: key.publicKey }],
};
let nowMs = Date.now();
const clock = { ...systemClock, now: () => nowMs };
const statement = (changes: object = {}) => ({
  ...{ v: 1, kid: 1, node: 'n1', user: 'ada', rights: ['jobs:*'], iat: nowMs, exp: nowMs + 60_000 },
  ...changes,
});
const verify = createCallerVerifier(() => credential, clock);
const ask = (text: string | undefined) =>
  verify({ method: 'GET', target: '/jobs', headers: text === undefined ? {} : { [callerHeader]: text } });

describe('who calls', () => {
  it('is who the bridge says, until its word ends', async () => {
    const text = signStatement(statement(), key.privateKey);
    expect(await ask(text)).toMatchObject({ user: 'ada', rights: ['jobs:*'] });
    expect(await ask(text)).toMatchObject({ user: 'ada' });
    nowMs += 120_000;
    await expect(ask(text)).rejects.toMatchObject({ code: 'token-expired' });
  });

  it.each([
    ['nothing', () => undefined],
    ['rubbish', () => 'rubbish'],
    ['the word of another key', () => signStatement(statement(), other.privateKey)],
    ['the word of a key that is not known', () => signStatement(statement({ kid: 2 }), key.privateKey)],
    ['a word for another node', () => signStatement(statement({ node: 'n2' }), key.privateKey)],
    ['a word of another form', () => signStatement(statement({ v: 2 }), key.privateKey)],
    [
      'a signature under other rights',
      () => {
        const signature = signStatement(statement(), key.privateKey).split('.')[1];
        const forged = Buffer.from(JSON.stringify(statement({ rights: ['agent:bridge'] }))).toString(
          'base64url',
        );
        return `${forged}.${signature}`;
      },
    ],
  ])('is not told by %s', async (_what, make) => {
    await expect(ask(make())).rejects.toMatchObject({ code: 'invalid-token' });
  });

  it('is believed by a key that was replaced for as long as its word is under way, and by the new one at once', async () => {
    let current = credential;
    const learned = createCallerVerifier(() => current, clock);
    const tell = (kid: number, by: typeof key) =>
      learned({
        method: 'GET',
        target: '/',
        headers: { [callerHeader]: signStatement(statement({ kid }), by.privateKey) },
      });
    expect(await tell(1, key)).toMatchObject({ user: 'ada' });
    await expect(tell(2, other)).rejects.toMatchObject({ code: 'invalid-token' });
    current = { ...credential, bridge_keys: [{ id: 2, public_key: other.publicKey }] };
    expect(await tell(2, other)).toMatchObject({ user: 'ada' });
    expect(await tell(1, key)).toMatchObject({ user: 'ada' });
    nowMs += 121_000;
    await expect(tell(1, key)).rejects.toMatchObject({ code: 'invalid-token' });
    expect(await tell(2, other)).toMatchObject({ user: 'ada' });
  });

  it('is unknown before the node has a credential', async () => {
    const early = createCallerVerifier(() => undefined, clock);
    const headers = { [callerHeader]: signStatement(statement(), key.privateKey) };
    await expect(early({ method: 'GET', target: '/', headers })).rejects.toMatchObject({
      code: 'invalid-token',
    });
  });
});
