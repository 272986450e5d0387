import { describe, expect, it, jest } from '@jest/globals';
import { attenuateToken } from './attenuate-token.js';
import { BiscuitIssuer } from './biscuit-issuer.js';
import { loadBiscuitWasm } from './load-wasm.js';
import { newSigningKey } from './signing-key.js';
import { signDatalogText } from './testing/sign-datalog.js';
import { decodeContainer, encodeContainer, fromTokenText, signChain } from './token-container.js';
import { PublicKeyCache, verifyToken } from './verify-token.js';
import { warmUp } from './warm-up.js';

const key = newSigningKey(1);
const nowMs = Date.UTC(2026, 0, 1);
const principal = { user: 'ada', org: undefined, role: 'user' } as const;
const issue = async () =>
  (await new BiscuitIssuer(() => [key]).issue(principal, { nowMs, lifetimeMs: 3_600_000 })).token;

describe('verifyToken', () => {
  it('verifies 10,000 tokens of all kinds without a trap, and keeps no more of them than a thread may', async () => {
    const wasm = await loadBiscuitWasm();
    const keys = new PublicKeyCache(wasm);
    const token = await issue();
    const kinds = [
      { token, expected: 'valid' },
      { token: await attenuateToken(token, { checks: ['check if user("ada")'] }), expected: 'valid' },
      { token: await attenuateToken(token, { checks: ['check if user("bob")'] }), expected: 'invalid' },
      { token: await attenuateToken(token, { expiresAtMs: nowMs }), expected: 'expired' },
      { token: await attenuateToken(token, { checks: ['r($u) <- user($u)'] }), expected: 'too-complex' },
      { token: await signDatalogText(newSigningKey(1), ['user("ada");']), expected: 'invalid' },
      { token: await signDatalogText(key, ['user("ada"); user("bob");']), expected: 'invalid' },
    ].map(({ token: text, expected }) => ({ bytes: fromTokenText(text), expected }));
    const unexpected: unknown[] = [];
    let grownFromBytes = 0;
    for (let run = 0; run < 10_000; run += 1) {
      const { bytes, expected } = kinds[run % kinds.length] ?? { bytes: new Uint8Array(), expected: '' };
      const outcome = verifyToken(wasm, keys, { bytes, publicKey: key.publicKey, nowMs });
      if (outcome.kind !== expected) unexpected.push({ run, outcome });
      if (run === 2000) grownFromBytes = process.memoryUsage().external;
    }
    expect(unexpected).toEqual([]);
    // What a thread is allowed to keep before it is retired: the library never gives back all of it.
    expect(process.memoryUsage().external - grownFromBytes).toBeLessThan(8000 * 12 * 1024);
  }, 180_000);

  it('does not refuse a good token because the machine stood still meanwhile', async () => {
    const wasm = await loadBiscuitWasm();
    const request = { bytes: fromTokenText(await issue()), publicKey: key.publicKey, nowMs };
    let monotonicMs = performance.now();
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => {
      monotonicMs += 10_000;
      return monotonicMs;
    });
    try {
      expect(verifyToken(wasm, new PublicKeyCache(wasm), request)).toMatchObject({
        kind: 'valid',
        principal,
      });
    } finally {
      clock.mockRestore();
    }
  });

  it('refuses a good token under another key', async () => {
    const wasm = await loadBiscuitWasm();
    const request = { bytes: fromTokenText(await issue()), publicKey: newSigningKey(1).publicKey, nowMs };
    expect(verifyToken(wasm, new PublicKeyCache(wasm), request)).toMatchObject({ kind: 'invalid' });
  });

  it('keeps working when more keys were used than it remembers', async () => {
    const wasm = await loadBiscuitWasm();
    const keys = new PublicKeyCache(wasm);
    for (let id = 0; id < 40; id += 1) keys.get(newSigningKey(id).publicKey);
    const request = { bytes: fromTokenText(await issue()), publicKey: key.publicKey, nowMs };
    expect(verifyToken(wasm, keys, request)).toMatchObject({ kind: 'valid', principal });
  });

  it('warms up on tokens of its own', async () => {
    const wasm = await loadBiscuitWasm();
    expect(() => warmUp(wasm, new PublicKeyCache(wasm))).not.toThrow();
  });
});

describe('our signatures', () => {
  it.each([
    ['of the first format', ['user("ada");', 'check if user("ada");']],
    ['of the second format in an appended block', ['user("ada");', 'reject if user("bob");']],
    ['of the second format from the start', ['user("ada"); reject if user("bob");', 'check if user("ada");']],
  ])('%s are accepted by the library, and chained to the block before', async (_name, sources) => {
    const wasm = await loadBiscuitWasm();
    const keys = new PublicKeyCache(wasm);
    const container = decodeContainer(fromTokenText(await signDatalogText(key, sources)));
    const request = { publicKey: key.publicKey, nowMs };
    expect(verifyToken(wasm, keys, { ...request, bytes: encodeContainer(container) })).toMatchObject({
      kind: 'valid',
    });
    const other = signChain(
      [container.blocks[0]?.block ?? new Uint8Array()],
      Buffer.from(key.privateKey, 'hex'),
      key.id,
    );
    const [authority] = other.blocks;
    const [, appended] = container.blocks;
    if (authority === undefined || appended === undefined) throw new Error('two blocks expected');
    const mixed = { ...container, blocks: [authority, appended] };
    expect(verifyToken(wasm, keys, { ...request, bytes: encodeContainer(mixed) })).toMatchObject({
      kind: 'invalid',
    });
  });

  it('cannot be cut back to the token before the attenuation', async () => {
    const wasm = await loadBiscuitWasm();
    const container = decodeContainer(
      fromTokenText(await attenuateToken(await issue(), { checks: ['check if user("bob")'] })),
    );
    const cut = { ...container, blocks: container.blocks.slice(0, 1) };
    const request = { bytes: encodeContainer(cut), publicKey: key.publicKey, nowMs };
    expect(verifyToken(wasm, new PublicKeyCache(wasm), request)).toMatchObject({ kind: 'invalid' });
  });
});
