import { newKeyPair, publicKeyOf } from './ed25519.js';

/** A key that signs tokens. Whoever reads the seed can be anybody. */
export interface SigningKey {
  /** Root key id, written into each token; the largest signs. */
  readonly id: number;
  /** Ed25519 seed, 64 lower-case hex characters. */
  readonly privateKey: string;
  /** Ed25519, 64 lower-case hex characters. */
  readonly publicKey: string;
}

/** Root key ids take two bytes in a token; a third would make the largest token longer than the C client's buffer. */
export const maxKeyId = 0x3fff;

/**
 * A fresh key from the random generator of the operating system.
 * @throws {RangeError} when the id is not a whole number from 0 to 16383
 */
export function newSigningKey(id: number): SigningKey {
  if (!Number.isInteger(id) || id < 0 || id > maxKeyId) throw new RangeError(`${id} is not a key id`);
  const { seed, publicKey } = newKeyPair();
  return { id, privateKey: toHex(seed), publicKey: toHex(publicKey) };
}

/** The public half of a private key, both 64 hex characters. */
export const publicKeyOfSeed = (privateKey: string): string =>
  toHex(publicKeyOf(Buffer.from(privateKey, 'hex')));

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
