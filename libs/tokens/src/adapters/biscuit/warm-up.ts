import { newKeyPair } from './ed25519.js';
import { type BiscuitWasm, toWasmDate } from './load-wasm.js';
import { decodeContainer, encodeContainer, signChain } from './token-container.js';
import { type PublicKeyCache, verifyToken } from './verify-token.js';

/** Enough for V8 to compile what verification runs; measured: later ones get no faster. */
const warmUpRuns = 20;

/**
 * Verifies a token of each kind often enough that the first real one is as fast as later ones. The first run in a
 * process takes up to seconds on a busy machine, and so does the first regular expression.
 * @throws {Error} when a token that must be valid is not
 */
export function warmUp(wasm: BiscuitWasm, keys: PublicKeyCache): void {
  const root = newKeyPair();
  const publicKey = Buffer.from(root.publicKey).toString('hex');
  const nowMs = Date.now();
  const bytes = encodeContainer(signChain(buildBlocks(wasm, nowMs + 3_600_000), root.seed, 1));
  for (let run = 0; run < warmUpRuns; run += 1) {
    const outcome = verifyToken(wasm, keys, { bytes, publicKey, nowMs });
    if (outcome.kind !== 'valid') {
      throw new Error(`the token library refuses its own token: ${JSON.stringify(outcome)}`);
    }
  }
}

function buildBlocks(wasm: BiscuitWasm, expiresAtMs: number): Uint8Array[] {
  const parameters = { user: 'warm-up', expiry: toWasmDate(expiresAtMs) };
  const key = wasm.PrivateKey.fromBytes(newKeyPair().seed, 0);
  const builder = wasm.Biscuit.builder();
  builder.addCodeWithParameters(
    'user({user}); role("user"); check if time($time), $time < {expiry};',
    parameters,
    {},
  );
  const authority = builder.build(key);
  const appended = wasm.Biscuit.block_builder();
  appended.addCodeWithParameters(
    'check if time($t), $t <= {expiry}; check if user($u), $u.matches("^[a-z-]+$"); reject if user($u), $u == "x";',
    { expiry: parameters.expiry },
    {},
  );
  const token = authority.appendBlock(appended);
  const blocks = decodeContainer(token.toBytes()).blocks.map(({ block }) => block);
  for (const used of [token, authority, key]) used.free();
  return blocks;
}
