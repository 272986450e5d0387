/**
 * Verifies one token, start to end: shape, signature, checks. Runs in a worker thread, because what it is given may be
 * built to never end; tests also call it directly.
 */
import { type Check, type DatalogBlock, readDatalogBlocks } from './datalog-block.js';
import {
  type BiscuitWasm,
  describeWasmError,
  toWasmDate,
  type WasmAuthorizer,
  type WasmBiscuit,
  type WasmPublicKey,
} from './load-wasm.js';
import { WireFormatError } from './protobuf.js';
import { decodeContainer } from './token-container.js';
import { expiryOf, findContainerFault, findShapeFault, readPrincipal, readValidity } from './token-shape.js';
import type { VerifyOutcome, VerifyRequest } from './verify-messages.js';

/** The library's own limits. None in time: the thread is killed from outside. */
const limits = { max_facts: 128, max_iterations: 16 };
const maxCachedKeys = 16;

/** Public keys as the library wants them, made once each. */
export class PublicKeyCache {
  readonly #wasm: BiscuitWasm;
  readonly #keys = new Map<string, WasmPublicKey>();

  constructor(wasm: BiscuitWasm) {
    this.#wasm = wasm;
  }

  get(hex: string): WasmPublicKey {
    const known = this.#keys.get(hex);
    if (known !== undefined) return known;
    if (this.#keys.size >= maxCachedKeys) this.#dropAll();
    const key = this.#wasm.PublicKey.fromBytes(Buffer.from(hex, 'hex'), 0);
    this.#keys.set(hex, key);
    return key;
  }

  #dropAll(): void {
    for (const key of this.#keys.values()) key.free();
    this.#keys.clear();
  }
}

/** A trap of the library, after which its instance must not be used again. */
class WasmTrapError extends Error {
  override readonly name = 'WasmTrapError';
}

/** @throws {WasmTrapError} when the library crashed; the thread must be replaced */
export function verifyToken(wasm: BiscuitWasm, keys: PublicKeyCache, request: VerifyRequest): VerifyOutcome {
  try {
    const container = decodeContainer(request.bytes);
    const fault = findContainerFault(container);
    if (fault !== undefined) return { kind: 'too-complex', detail: fault };
    return withToken(wasm, keys.get(request.publicKey), request.bytes, (token) => {
      // Only after the signature: what the shape gate says is of no use to someone without a token.
      const blocks = readDatalogBlocks(container.blocks.map(({ block }) => block));
      return verifyBlocks(wasm, token, blocks, request.nowMs);
    });
  } catch (error) {
    if (error instanceof WireFormatError) {
      return toInvalid(`The token is malformed: ${error.message}.`);
    }
    throw error;
  }
}

function withToken(
  wasm: BiscuitWasm,
  key: WasmPublicKey,
  bytes: Uint8Array,
  use: (token: WasmBiscuit) => VerifyOutcome,
): VerifyOutcome {
  let token: WasmBiscuit;
  try {
    token = wasm.Biscuit.fromBytes(bytes, key);
  } catch (error) {
    refuseTrap(error);
    return toInvalid(describeFormatError(error));
  }
  try {
    return use(token);
  } finally {
    token.free();
  }
}

function verifyBlocks(
  wasm: BiscuitWasm,
  token: WasmBiscuit,
  blocks: readonly DatalogBlock[],
  nowMs: number,
): VerifyOutcome {
  const fault = findShapeFault(blocks);
  if (fault !== undefined) return { kind: 'too-complex', detail: `The token is refused: ${fault}.` };
  const [authority] = blocks;
  if (authority === undefined) return toInvalid('The token has no authority block.');
  const principal = readPrincipal(authority);
  if ('fault' in principal) return toInvalid(`The token is refused: ${principal.fault}.`);
  const refusal = authorize(wasm, token, blocks, nowMs);
  if (refusal !== undefined) return refusal;
  return { kind: 'valid', principal, ...readValidity(blocks) };
}

/** Runs every check of the token against the time; undefined when all hold. */
function authorize(
  wasm: BiscuitWasm,
  token: WasmBiscuit,
  blocks: readonly DatalogBlock[],
  nowMs: number,
): VerifyOutcome | undefined {
  const builder = new wasm.AuthorizerBuilder();
  let authorizer: WasmAuthorizer | undefined;
  try {
    builder.addCodeWithParameters('time({now}); allow if user($user);', { now: toWasmDate(nowMs) }, {});
    // Consumes the builder, which must not be freed after it.
    authorizer = builder.buildAuthenticated(token);
    authorizer.authorizeWithLimits(limits);
    return undefined;
  } catch (error) {
    refuseTrap(error);
    return toRefusal(error, blocks);
  } finally {
    authorizer?.free();
  }
}

const toInvalid = (detail: string, mayChange = false): VerifyOutcome => ({
  kind: 'invalid',
  detail,
  mayChange,
});

function refuseTrap(error: unknown): void {
  if (error instanceof Error) throw new WasmTrapError(error.message, { cause: error });
}

interface FailedCheck {
  readonly blockId: number | undefined;
  readonly checkId: number;
  readonly rule: string;
}

function toRefusal(error: unknown, blocks: readonly DatalogBlock[]): VerifyOutcome {
  const limit = at(error, 'RunLimit');
  if (limit !== undefined) return { kind: 'too-complex', detail: `The token is refused: ${String(limit)}.` };
  const failed = readFailedChecks(at(at(at(error, 'FailedLogic'), 'Unauthorized'), 'checks'));
  const [first] = failed;
  if (first === undefined) return toInvalid(`The token is refused: ${describeWasmError(error)}.`);
  const other = failed.find((check) => expiryAt(blocks, check) === undefined);
  if (other !== undefined) {
    return toInvalid(`A check of the token fails: ${other.rule}.`, !readValidity(blocks).isPlain);
  }
  return { kind: 'expired', detail: `The token has expired: ${first.rule}.` };
}

function expiryAt(blocks: readonly DatalogBlock[], failed: FailedCheck): number | undefined {
  if (failed.blockId === undefined) return undefined;
  const check: Check | undefined = blocks[failed.blockId]?.checks[failed.checkId];
  return check === undefined ? undefined : expiryOf(check);
}

function readFailedChecks(checks: unknown): FailedCheck[] {
  if (!Array.isArray(checks)) return [];
  return checks.map((check: unknown) => {
    const block = at(check, 'Block');
    const failed = block ?? at(check, 'Authorizer');
    const blockId = at(block, 'block_id');
    return {
      blockId: typeof blockId === 'number' ? blockId : undefined,
      checkId: Number(at(failed, 'check_id')),
      rule: String(at(failed, 'rule')).slice(0, 200),
    };
  });
}

function describeFormatError(error: unknown): string {
  const format = at(error, 'Format');
  if (at(format, 'Signature') !== undefined || format === 'InvalidSignature') {
    return 'The signature of the token is not valid.';
  }
  return `The token is malformed: ${describeWasmError(error)}.`;
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
