import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

/** What stands before the raw bytes of an Ed25519 key in DER (RFC 8410). */
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** @param seedHex 64 hex characters */
export const toPrivateKey = (seedHex: string): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([privatePrefix, Buffer.from(seedHex, 'hex')]),
    format: 'der',
    type: 'pkcs8',
  });

/** @param publicHex 64 hex characters */
export const toPublicKey = (publicHex: string): KeyObject =>
  createPublicKey({
    key: Buffer.concat([publicPrefix, Buffer.from(publicHex, 'hex')]),
    format: 'der',
    type: 'spki',
  });

/** The statement as JSON and its Ed25519 signature, both base64url, with a dot between. */
export function signStatement(statement: unknown, key: KeyObject): string {
  const payload = Buffer.from(JSON.stringify(statement)).toString('base64url');
  return `${payload}.${sign(null, Buffer.from(payload), key).toString('base64url')}`;
}

/** What was signed, before its signature is known to be good: only to choose the key. Undefined: not readable. */
export function peekStatement(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text.slice(0, text.indexOf('.')), 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Whether the text carries a signature of this key. */
export function isSignedBy(text: string, key: KeyObject): boolean {
  const dot = text.indexOf('.');
  if (dot < 1) return false;
  return verify(null, Buffer.from(text.slice(0, dot)), key, Buffer.from(text.slice(dot + 1), 'base64url'));
}
