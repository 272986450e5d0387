import { newKeyPair } from '../ed25519.js';
import { loadBiscuitWasm } from '../load-wasm.js';
import type { SigningKey } from '../signing-key.js';
import { decodeContainer, signChain, type TokenContainer, toTokenText } from '../token-container.js';

/** The bytes of blocks with these sources, the authority first. For tests: sources are not checked in any way. */
async function buildBlocks(sources: readonly string[]): Promise<Uint8Array[]> {
  const wasm = await loadBiscuitWasm();
  const [authority = '', ...appended] = sources;
  const builder = wasm.Biscuit.builder();
  builder.addCode(authority);
  let token = builder.build(wasm.PrivateKey.fromBytes(newKeyPair().seed, 0));
  for (const source of appended) {
    const block = wasm.Biscuit.block_builder();
    block.addCode(source);
    token = token.appendBlock(block);
  }
  return decodeContainer(token.toBytes()).blocks.map(({ block }) => block);
}

/** A token of these blocks, signed with `key`. */
export async function signDatalog(
  key: SigningKey,
  sources: readonly string[],
  rootKeyId: number | undefined = key.id,
): Promise<TokenContainer> {
  return signChain(await buildBlocks(sources), Buffer.from(key.privateKey, 'hex'), rootKeyId);
}

/** Like {@link signDatalog}, as text. */
export const signDatalogText = async (...of: Parameters<typeof signDatalog>): Promise<string> =>
  toTokenText(await signDatalog(...of));

/** Names no key, as COGNIT's tokens. */
export async function signWithoutKeyId(key: SigningKey, sources: readonly string[]): Promise<string> {
  const seed = Buffer.from(key.privateKey, 'hex');
  return toTokenText(signChain(await buildBlocks(sources), seed, undefined));
}
