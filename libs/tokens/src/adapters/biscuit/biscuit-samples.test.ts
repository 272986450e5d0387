import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { readDatalogBlocks } from './datalog-block.js';
import { type BiscuitWasm, loadBiscuitWasm, type WasmPublicKey } from './load-wasm.js';
import { decodeContainer, encodeContainer, revocationIdsOf } from './token-container.js';

interface Samples {
  readonly root_public_key: string;
  readonly testcases: readonly {
    readonly title: string;
    readonly filename: string;
    readonly token: string;
    readonly revocation_ids: readonly string[];
    readonly validations: Readonly<Record<string, { authorizer_code: string; result: unknown }>>;
  }[];
}

/** Where version 0.6.0 of the library answers otherwise than the samples, and why. */
const differences: Readonly<Record<string, { readonly result: unknown; readonly reason: string }>> = {
  'test035_ffi.bc': {
    result: { Err: { Execution: { UndefinedExtern: 'test' } } },
    reason:
      'the sample wants a host function "test", which the library has no way to register; refused instead',
  },
};

const samples: Samples = JSON.parse(
  await readFile(new URL('../../../fixtures/biscuit-samples.json', import.meta.url), 'utf8'),
);
const limits = { max_facts: 1000, max_iterations: 100 };
const validations = samples.testcases.flatMap((sample) =>
  Object.entries(sample.validations).map(([name, validation]) => ({
    name: `${sample.filename} ${name}`.trim(),
    ...sample,
    ...validation,
  })),
);

describe('the samples of the Biscuit specification', () => {
  let wasm: BiscuitWasm;
  let root: WasmPublicKey;
  beforeAll(async () => {
    wasm = await loadBiscuitWasm();
    root = wasm.PublicKey.fromBytes(Buffer.from(samples.root_public_key, 'hex'), 0);
  });

  function authorize(token: string, code: string): unknown {
    try {
      const biscuit = wasm.Biscuit.fromBytes(Buffer.from(token, 'base64url'), root);
      const builder = new wasm.AuthorizerBuilder();
      builder.addCode(code);
      return { Ok: builder.buildAuthenticated(biscuit).authorizeWithLimits(limits) };
    } catch (error) {
      return { Err: error };
    }
  }

  it('are all there', () => {
    expect(samples.testcases).toHaveLength(38);
    expect(validations).toHaveLength(50);
    expect(Object.keys(differences).every((name) => samples.testcases.some((s) => s.filename === name))).toBe(
      true,
    );
  });

  it.each(validations)('$name has the published result', ({ filename, token, authorizer_code, result }) => {
    expect(authorize(token, authorizer_code)).toEqual(differences[filename]?.result ?? result);
  });

  const signed = samples.testcases.filter(({ revocation_ids }) => revocation_ids.length > 0);
  it.each(signed)('$filename has the published revocation ids', ({ token, revocation_ids }) => {
    const biscuit = wasm.Biscuit.fromBytes(Buffer.from(token, 'base64url'), root);
    expect(biscuit.getRevocationIdentifiers()).toEqual(revocation_ids);
    expect(revocationIdsOf(decodeContainer(Buffer.from(token, 'base64url')))).toEqual(revocation_ids);
  });

  it.each(samples.testcases)('$filename is read and written back to the same bytes', ({ token }) => {
    const bytes = Buffer.from(token, 'base64url');
    expect(Buffer.from(encodeContainer(decodeContainer(bytes))).equals(bytes)).toBe(true);
  });

  it('our reader of blocks reads every first-party sample', () => {
    const readable = samples.testcases
      .filter(({ filename }) => filename !== 'test004_random_block.bc')
      .map(({ token }) => decodeContainer(Buffer.from(token, 'base64url')))
      .filter(({ blocks }) => blocks.every(({ external }) => external === undefined))
      .map(({ blocks }) => readDatalogBlocks(blocks.map(({ block }) => block)).length);
    expect(readable).toHaveLength(34);
    expect(Math.min(...readable)).toBe(1);
  });
});
