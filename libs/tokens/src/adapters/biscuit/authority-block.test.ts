import { describe, expect, it } from '@jest/globals';
import { buildAuthorityBlock } from './authority-block.js';
import { readDatalogBlocks } from './datalog-block.js';
import { loadBiscuitWasm, toWasmDate } from './load-wasm.js';
import { decodeContainer } from './token-container.js';
import { readPrincipal, readValidity } from './token-shape.js';

const expiryMs = Date.UTC(2026, 0, 2);

async function buildWithLibrary(principal: { user: string; role: string; org: string | undefined }) {
  const wasm = await loadBiscuitWasm();
  const builder = wasm.Biscuit.builder();
  const { user, role, org } = principal;
  builder.addCodeWithParameters('user({user}); role({role});', { user, role }, {});
  if (org !== undefined) builder.addCodeWithParameters('org({org});', { org }, {});
  const expiry = toWasmDate(expiryMs);
  builder.addCodeWithParameters('check if time($time), $time < {expiry};', { expiry }, {});
  const key = wasm.PrivateKey.fromBytes(Buffer.alloc(32, 1), 0);
  return decodeContainer(builder.build(key).toBytes()).blocks[0]?.block;
}

describe('buildAuthorityBlock', () => {
  it.each([
    { user: 'ada', role: 'user', org: undefined },
    { user: 'ada', role: 'administrator', org: 'acme' },
    { user: 'admin', role: 'user', org: 'admin' },
    { user: 'query', role: 'user', org: 'time' },
    { user: 'same', role: 'user', org: 'same' },
    { user: 'a"); role("administrator', role: 'user', org: 'é😀\t\\' },
  ] as const)('writes what the library writes, and reads it back: $user $role $org', async (principal) => {
    const block = buildAuthorityBlock(principal, expiryMs / 1000);
    expect(Buffer.from(block).toString('hex')).toBe(
      Buffer.from((await buildWithLibrary(principal)) ?? []).toString('hex'),
    );
    const [read] = readDatalogBlocks([block]);
    expect(read).toBeDefined();
    if (read === undefined) return;
    expect(readPrincipal(read)).toEqual(principal);
    expect(readValidity([read])).toEqual({ expiresAtMs: expiryMs, isPlain: true });
  });
});
