/**
 * The outer layer of a Biscuit: signed blocks in a chain and the proof at its end. Reading it needs no key and no
 * Datalog; writing it signs with node:crypto.
 *
 * The wasm library draws only 8 random bytes for the key that follows a block, so whoever holds an attenuated token
 * would have 2^64 keys to try instead of 2^256. We therefore take only the bytes of a block from the library and sign
 * and chain blocks here, with keys of full strength.
 *
 * @see https://www.biscuitsec.org/docs/reference/specifications/ ("Cryptography", "Format")
 */
import type { KeyObject } from 'node:crypto';
import { type Ed25519KeyPair, newKeyPair, privateKeyOf, signWith } from './ed25519.js';
import { bytesField, MessageReader, numberField, WireFormatError } from './protobuf.js';

const algorithmEd25519 = 0;

interface WireKey {
  readonly algorithm: number;
  readonly key: Uint8Array;
}

interface SignedBlock {
  /** The serialized block: symbols, facts, rules and checks. */
  readonly block: Uint8Array;
  /** Verifies the signature of the next block, or the proof. */
  readonly nextKey: WireKey;
  /** Also the revocation id of the block. */
  readonly signature: Uint8Array;
  /** Of a third-party block, as it stands on the wire. */
  readonly external: Uint8Array | undefined;
  /** Of the signed payload: 0 or 1. */
  readonly version: number;
}

export interface TokenContainer {
  readonly rootKeyId: number | undefined;
  /** The authority first. */
  readonly blocks: readonly SignedBlock[];
  readonly proof: { readonly kind: 'secret' | 'seal'; readonly bytes: Uint8Array };
}

/** @throws {WireFormatError} when the bytes are not a token */
export function decodeContainer(bytes: Uint8Array): TokenContainer {
  const token = new MessageReader(bytes, [1, 2, 4], [3]);
  const proof = new MessageReader(token.bytes(4), [1, 2]);
  const secret = proof.optionalBytes(1);
  const seal = proof.optionalBytes(2);
  if ((secret === undefined) === (seal === undefined)) throw new WireFormatError('the proof is ambiguous');
  return {
    rootKeyId: token.optionalNumber(1),
    blocks: [token.bytes(2), ...token.bytesList(3)].map(decodeSignedBlock),
    proof: secret === undefined ? { kind: 'seal', bytes: token.bytes(4) } : { kind: 'secret', bytes: secret },
  };
}

function decodeSignedBlock(bytes: Uint8Array): SignedBlock {
  const signed = new MessageReader(bytes, [1, 2, 3, 4, 5]);
  const nextKey = new MessageReader(signed.bytes(2), [1, 2]);
  return {
    block: signed.bytes(1),
    nextKey: { algorithm: nextKey.optionalNumber(1) ?? algorithmEd25519, key: nextKey.bytes(2) },
    signature: signed.bytes(3),
    external: signed.optionalBytes(4),
    version: signed.optionalNumber(5) ?? 0,
  };
}

/** The same bytes that {@link decodeContainer} read, field by field in the order of the schema. */
export function encodeContainer(container: TokenContainer): Uint8Array {
  const [authority, ...appended] = container.blocks;
  if (authority === undefined) throw new WireFormatError('a token needs an authority block');
  const { kind, bytes } = container.proof;
  return Buffer.concat([
    ...(container.rootKeyId === undefined ? [] : [numberField(1, container.rootKeyId)]),
    bytesField(2, encodeSignedBlock(authority)),
    ...appended.map((block) => bytesField(3, encodeSignedBlock(block))),
    bytesField(4, kind === 'seal' ? bytes : bytesField(1, bytes)),
  ]);
}

function encodeSignedBlock(signed: SignedBlock): Uint8Array {
  return Buffer.concat([
    bytesField(1, signed.block),
    bytesField(
      2,
      Buffer.concat([numberField(1, signed.nextKey.algorithm), bytesField(2, signed.nextKey.key)]),
    ),
    bytesField(3, signed.signature),
    ...(signed.external === undefined ? [] : [bytesField(4, signed.external)]),
    ...(signed.version === 0 ? [] : [numberField(5, signed.version)]),
  ]);
}

/** Blocks of this Datalog version and later must be signed in the newer format (version 1). */
const firstDatalogVersionSignedNew = 6;

function blockDatalogVersion(block: Uint8Array): number {
  return new MessageReader(block, [2, 3], [1, 4, 5, 6, 7, 8]).optionalNumber(3) ?? 0;
}

/** Signs a block with `key`; `previous` is the block before it, or undefined for the authority. */
function signBlock(
  block: Uint8Array,
  key: KeyObject,
  nextKey: WireKey,
  previous: SignedBlock | undefined,
): SignedBlock {
  const isNew = blockDatalogVersion(block) >= firstDatalogVersionSignedNew || (previous?.version ?? 0) > 0;
  const version = isNew ? 1 : 0;
  const payload = isNew
    ? newPayload(block, nextKey, previous)
    : Buffer.concat([block, uint32(nextKey.algorithm), nextKey.key]);
  return { block, nextKey, signature: signWith(key, payload), external: undefined, version };
}

function newPayload(block: Uint8Array, nextKey: WireKey, previous: SignedBlock | undefined): Uint8Array {
  const labelled = (label: string, value: Uint8Array) => [Buffer.from(`\0${label}\0`), value];
  return Buffer.concat([
    ...labelled('BLOCK', Buffer.alloc(0)),
    ...labelled('VERSION', uint32(1)),
    ...labelled('PAYLOAD', block),
    ...labelled('ALGORITHM', uint32(nextKey.algorithm)),
    ...labelled('NEXTKEY', nextKey.key),
    ...(previous === undefined ? [] : labelled('PREVSIG', previous.signature)),
  ]);
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/**
 * Chains blocks into a token that can be attenuated further.
 * @param nextKeys the key pair after each block; drawn fresh when left out
 */
export function signChain(
  blocks: readonly Uint8Array[],
  rootSeed: Uint8Array,
  rootKeyId: number | undefined,
  nextKeys: readonly Ed25519KeyPair[] = [],
): TokenContainer {
  const signed: SignedBlock[] = [];
  let seed = rootSeed;
  for (const [index, block] of blocks.entries()) {
    const next = nextKeys[index] ?? newKeyPair();
    const nextKey = { algorithm: algorithmEd25519, key: next.publicKey };
    signed.push(signBlock(block, privateKeyOf(seed), nextKey, signed.at(-1)));
    seed = next.seed;
  }
  return { rootKeyId, blocks: signed, proof: { kind: 'secret', bytes: seed } };
}

/**
 * Adds a block with the secret that the token carries.
 * @throws {WireFormatError} when the token is sealed or ends in a key that is not Ed25519
 */
export function appendToChain(container: TokenContainer, block: Uint8Array): TokenContainer {
  const last = container.blocks.at(-1);
  if (container.proof.kind === 'seal') throw new WireFormatError('a sealed token cannot be attenuated');
  if (last?.nextKey.algorithm !== algorithmEd25519) throw new WireFormatError('the last key is not Ed25519');
  const next = newKeyPair();
  const nextKey = { algorithm: algorithmEd25519, key: next.publicKey };
  const signed = signBlock(block, privateKeyOf(container.proof.bytes), nextKey, last);
  return {
    rootKeyId: container.rootKeyId,
    blocks: [...container.blocks, signed],
    proof: { kind: 'secret', bytes: next.seed },
  };
}

/** Hex of every block's signature, the authority's first. */
export function revocationIdsOf(container: TokenContainer): string[] {
  return container.blocks.map(({ signature }) => Buffer.from(signature).toString('hex'));
}

/** URL-safe base64 with padding, as COGNIT's tokens are written. */
export function toTokenText(container: TokenContainer): string {
  const text = Buffer.from(encodeContainer(container)).toString('base64url');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

const tokenPattern = /^[A-Za-z0-9_-]+={0,2}$/;

/**
 * The bytes of a token in URL-safe base64, with or without padding.
 * @throws {WireFormatError} when another character is in it
 */
export function fromTokenText(text: string): Uint8Array {
  if (!tokenPattern.test(text)) throw new WireFormatError('the token is not URL-safe base64');
  return Buffer.from(text, 'base64url');
}
