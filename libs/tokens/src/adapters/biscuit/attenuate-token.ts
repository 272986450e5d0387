import { AppError } from '@gantry/kernel';
import { newKeyPair } from './ed25519.js';
import { type BiscuitWasm, describeWasmError, loadBiscuitWasm, toWasmDate } from './load-wasm.js';
import { WireFormatError } from './protobuf.js';
import {
  appendToChain,
  decodeContainer,
  encodeContainer,
  fromTokenText,
  signChain,
  type TokenContainer,
  toTokenText,
} from './token-container.js';

export interface Attenuation {
  /** The token stops here, if it does not earlier. Epoch milliseconds, rounded down to whole seconds. */
  readonly expiresAtMs?: number;
  /** Datalog such as `check if user($u), $u == "ada"`; trusted text, written by the holder. */
  readonly checks?: readonly string[];
}

/**
 * Appends a block that narrows what the token may be used for. Needs no key: every holder can do it.
 * @throws {AppError} invalid-token when it is not a token or is sealed; invalid-request when a check cannot be read
 */
export async function attenuateToken(token: string, attenuation: Attenuation): Promise<string> {
  const wasm = await loadBiscuitWasm();
  try {
    const container = decodeContainer(fromTokenText(token));
    return toTokenText(appendToChain(container, buildAppendedBlock(wasm, container, attenuation)));
  } catch (error) {
    if (!(error instanceof WireFormatError)) throw error;
    throw new AppError('invalid-token', `The token cannot be attenuated: ${error.message}.`, {
      cause: error,
    });
  }
}

/** The library numbers the symbols of a new block after those of the blocks before it, so it needs them all. */
function buildAppendedBlock(
  wasm: BiscuitWasm,
  container: TokenContainer,
  attenuation: Attenuation,
): Uint8Array {
  const source = openUnverified(wasm, container);
  try {
    const builder = wasm.Biscuit.block_builder();
    if (attenuation.expiresAtMs !== undefined) {
      const expiry = toWasmDate(attenuation.expiresAtMs);
      builder.addCodeWithParameters('check if time($time), $time < {expiry};', { expiry }, {});
    }
    for (const check of attenuation.checks ?? []) addCheck(builder, check);
    const appended = source.appendBlock(builder);
    try {
      const last = decodeContainer(appended.toBytes()).blocks.at(-1);
      if (last === undefined) throw new WireFormatError('it has no block');
      return last.block;
    } finally {
      appended.free();
    }
  } finally {
    source.free();
  }
}

function addCheck(builder: ReturnType<BiscuitWasm['Biscuit']['block_builder']>, check: string): void {
  try {
    builder.addCode(check.trimEnd().endsWith(';') ? check : `${check};`);
  } catch (error) {
    const detail = `The check "${check}" cannot be read: ${describeWasmError(error)}`;
    throw new AppError('invalid-request', detail, { cause: error });
  }
}

/**
 * Opens a token whose key is not known, by signing its blocks anew with a key of the moment. The result proves
 * nothing; its caller frees it.
 * @throws {WireFormatError} when the library cannot read the blocks
 */
export function openUnverified(
  wasm: BiscuitWasm,
  container: TokenContainer,
): ReturnType<BiscuitWasm['Biscuit']['fromBytes']> {
  const root = newKeyPair();
  const copy = signChain(
    container.blocks.map(({ block }) => block),
    root.seed,
    container.rootKeyId,
  );
  const key = wasm.PublicKey.fromBytes(root.publicKey, 0);
  try {
    return wasm.Biscuit.fromBytes(encodeContainer(copy), key);
  } catch (error) {
    throw new WireFormatError(describeWasmError(error));
  } finally {
    key.free();
  }
}
