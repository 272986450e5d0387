import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** DER in front of the 32 bytes of an Ed25519 private key in PKCS#8 (RFC 8410 section 7). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

const publicKeySizeBytes = 32;

export interface Ed25519KeyPair {
  /** 32 bytes. */
  readonly seed: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** A fresh key pair from the random generator of the operating system. */
export function newKeyPair(): Ed25519KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
    publicKeyEncoding: { format: 'der', type: 'spki' },
  });
  return {
    seed: privateKey.subarray(pkcs8Prefix.length),
    publicKey: publicKey.subarray(-publicKeySizeBytes),
  };
}

/** @throws when the seed is not 32 bytes */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const spki = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' });
  return spki.subarray(-publicKeySizeBytes);
}

/** 64 bytes; the same message and key always give the same signature (RFC 8032). */
export function signWith(key: KeyObject, message: Uint8Array): Uint8Array {
  return sign(null, message, key);
}

/** @throws when the seed is not 32 bytes */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
}
