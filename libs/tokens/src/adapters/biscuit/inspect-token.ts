import type { Principal } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { VerifyingKey } from '../../ports.js';
import { openUnverified } from './attenuate-token.js';
import { maxIssuedTokenLength } from './biscuit-issuer.js';
import { type DatalogBlock, readDatalogBlocks } from './datalog-block.js';
import { type BiscuitWasm, loadBiscuitWasm } from './load-wasm.js';
import { WireFormatError } from './protobuf.js';
import {
  decodeContainer,
  encodeContainer,
  fromTokenText,
  revocationIdsOf,
  type TokenContainer,
} from './token-container.js';
import { findContainerFault, findShapeFault, readPrincipal, readValidity } from './token-shape.js';

/** What a token says, for people. Passwords that COGNIT's tokens carry are masked. */
export interface TokenInspection {
  readonly length: number;
  readonly rootKeyId: number | undefined;
  /** `unknown` without keys: then everything below is only what the token claims. */
  readonly signature: 'valid' | 'invalid' | 'unknown';
  readonly isSealed: boolean;
  /** Undefined when the authority block does not name exactly one user. */
  readonly principal: Principal | undefined;
  /** Of the earliest plain expiry check. */
  readonly expiresAtMs: number | undefined;
  readonly blocks: readonly InspectedBlock[];
  readonly warnings: readonly string[];
}

export interface InspectedBlock {
  readonly revocationId: string;
  /** Datalog as the library prints it. */
  readonly source: string;
  /** Facts that name something, such as `user` → `ada`; only in the order and number they stand in. */
  readonly facts: readonly { readonly name: string; readonly values: readonly string[] }[];
}

/**
 * Reads a token without using it. With `keys` the signature is checked too.
 * @throws {AppError} invalid-token when it is not a Biscuit token
 */
export async function inspectToken(token: string, keys?: readonly VerifyingKey[]): Promise<TokenInspection> {
  const wasm = await loadBiscuitWasm();
  try {
    const container = decodeContainer(fromTokenText(token));
    const blocks = readDatalogBlocks(container.blocks.map(({ block }) => block));
    const principal = blocks[0] === undefined ? { fault: 'empty' } : readPrincipal(blocks[0]);
    return {
      length: token.length,
      rootKeyId: container.rootKeyId,
      signature: keys === undefined ? 'unknown' : checkSignature(wasm, container, keys),
      isSealed: container.proof.kind === 'seal',
      principal: 'fault' in principal ? undefined : principal,
      expiresAtMs: readValidity(blocks).expiresAtMs,
      blocks: inspectBlocks(wasm, container, blocks),
      warnings: findWarnings(token, container, blocks),
    };
  } catch (error) {
    if (!(error instanceof WireFormatError)) throw error;
    throw new AppError('invalid-token', `This is not a readable token: ${error.message}.`, { cause: error });
  }
}

function checkSignature(
  wasm: BiscuitWasm,
  container: TokenContainer,
  keys: readonly VerifyingKey[],
): 'valid' | 'invalid' {
  const { rootKeyId } = container;
  const newestId = Math.max(-1, ...keys.map(({ id }) => id));
  const key = keys.find(({ id }) => id === (rootKeyId ?? newestId));
  if (key === undefined) return 'invalid';
  const publicKey = wasm.PublicKey.fromBytes(Buffer.from(key.publicKey, 'hex'), 0);
  try {
    wasm.Biscuit.fromBytes(encodeContainer(container), publicKey).free();
    return 'valid';
  } catch {
    return 'invalid';
  } finally {
    publicKey.free();
  }
}

function inspectBlocks(
  wasm: BiscuitWasm,
  container: TokenContainer,
  blocks: readonly DatalogBlock[],
): InspectedBlock[] {
  const opened = openUnverified(wasm, container);
  try {
    return revocationIdsOf(container).map((revocationId, index) => ({
      revocationId,
      source: maskPasswords(opened.getBlockSource(index), blocks[index]),
      facts: (blocks[index]?.facts ?? []).map(({ name, terms }) => ({
        name,
        values: terms.map((term) =>
          name === passwordFact ? mask : term.kind === 'string' ? term.value : '…',
        ),
      })),
    }));
  } finally {
    opened.free();
  }
}

const passwordFact = 'password';
const mask = '********';

function maskPasswords(source: string, block: DatalogBlock | undefined): string {
  let masked = source;
  for (const { name, terms } of block?.facts ?? []) {
    for (const term of name === passwordFact ? terms : []) {
      if (term.kind === 'string' && term.value !== '')
        masked = masked.replaceAll(`"${term.value}"`, `"${mask}"`);
    }
  }
  return masked;
}

function findWarnings(token: string, container: TokenContainer, blocks: readonly DatalogBlock[]): string[] {
  const warnings: string[] = [];
  if (token.length > maxIssuedTokenLength) {
    warnings.push(
      `The token has ${token.length} characters; the C device client cuts it off after ${maxIssuedTokenLength}.`,
    );
  }
  const fault = findContainerFault(container) ?? findShapeFault(blocks);
  if (fault !== undefined) warnings.push(`Edge frontends refuse this token: ${fault}.`);
  if (blocks.some(({ facts }) => facts.some(({ name }) => name === passwordFact))) {
    warnings.push('The token contains a password that everybody who sees the token can read.');
  }
  if (readValidity(blocks.slice(0, 1)).expiresAtMs === undefined) {
    warnings.push('The authority block has no expiry check.');
  }
  return warnings;
}
