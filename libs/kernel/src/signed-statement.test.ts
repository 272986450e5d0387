import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { isSignedBy, peekStatement, signStatement, toPrivateKey, toPublicKey } from './signed-statement.js';

function newPair() {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const hex = (text: string | undefined) => Buffer.from(text ?? '', 'base64url').toString('hex');
  return { privateKey: toPrivateKey(hex(jwk.d)), publicKey: toPublicKey(hex(jwk.x)) };
}

describe('a signed statement', () => {
  const { privateKey, publicKey } = newPair();
  const text = signStatement({ user: 'ada' }, privateKey);

  it('is read and verified with the other half of the key', () => {
    expect(peekStatement(text)).toEqual({ user: 'ada' });
    expect(isSignedBy(text, publicKey)).toBe(true);
  });

  it('is worth nothing with another key, another payload, or cut off', () => {
    const forged = `${Buffer.from('{"user":"eve"}').toString('base64url')}${text.slice(text.indexOf('.'))}`;
    expect(isSignedBy(text, newPair().publicKey)).toBe(false);
    expect(isSignedBy(forged, publicKey)).toBe(false);
    expect(isSignedBy(text.slice(0, -4), publicKey)).toBe(false);
    expect(isSignedBy('', publicKey)).toBe(false);
    expect(peekStatement('nonsense')).toBeUndefined();
  });
});
