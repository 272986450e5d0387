/**
 * Loads @biscuit-auth/biscuit-wasm 0.6.0 by hand: the package is built for bundlers, and its own entry imports a .wasm
 * file, which node only does behind a flag and jest not at all. Works in node, worker threads and jest.
 */
import { readFile } from 'node:fs/promises';

/** The part of the library that we use. Everything it throws is a plain object: see {@link describeWasmError}. */
export interface BiscuitWasm {
  readonly Biscuit: {
    builder(): WasmTokenBuilder;
    block_builder(): WasmBlockBuilder;
    fromBytes(bytes: Uint8Array, root: WasmPublicKey): WasmBiscuit;
  };
  readonly AuthorizerBuilder: new () => WasmAuthorizerBuilder;
  readonly PrivateKey: { fromBytes(bytes: Uint8Array, algorithm: number): WasmFreeable };
  readonly PublicKey: { fromBytes(bytes: Uint8Array, algorithm: number): WasmPublicKey };
}

interface WasmFreeable {
  /** To be called once, and never on a builder that another call consumed: each such call leaks wasm stack. */
  free(): void;
}

export type WasmPublicKey = WasmFreeable;

interface WasmBlockBuilder extends WasmFreeable {
  addCode(source: string): void;
  addCodeWithParameters(source: string, parameters: WasmParameters, scopes: Record<string, string>): void;
}

interface WasmTokenBuilder extends WasmBlockBuilder {
  /** Consumes the builder. */
  build(root: WasmFreeable): WasmBiscuit;
}

interface WasmAuthorizerBuilder extends WasmBlockBuilder {
  /** Consumes the builder. */
  buildAuthenticated(token: WasmBiscuit): WasmAuthorizer;
}

export interface WasmBiscuit extends WasmFreeable {
  /** Consumes the block builder. */
  appendBlock(block: WasmBlockBuilder): WasmBiscuit;
  toBytes(): Uint8Array;
  getBlockSource(index: number): string;
  getRevocationIdentifiers(): string[];
  countBlocks(): number;
}

export interface WasmAuthorizer extends WasmFreeable {
  authorizeWithLimits(limits: { max_facts: number; max_iterations: number }): number;
}

type WasmParameters = Readonly<Record<string, string | number | { date: string }>>;

/** Whole seconds: the resolution of dates in tokens. */
export const toWasmDate = (epochMs: number): { date: string } => ({
  date: new Date(Math.floor(epochMs / 1000) * 1000).toISOString(),
});

let loaded: Promise<BiscuitWasm> | undefined;

/** The library, instantiated once in each thread. */
export function loadBiscuitWasm(): Promise<BiscuitWasm> {
  loaded ??= instantiate();
  return loaded;
}

// The glue keeps its instance in a module variable, so a second one in the same thread would break the first.
async function instantiate(): Promise<BiscuitWasm> {
  const entry = import.meta.resolve('@biscuit-auth/biscuit-wasm');
  const module = await WebAssembly.compile(await readFile(new URL('biscuit_bg.wasm', entry)));
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: path, name } of WebAssembly.Module.imports(module)) {
    const glue = (await import(new URL(path, entry).href)) as Record<string, unknown>;
    imports[path] ??= {};
    imports[path][name] = replacementFor(name) ?? glue[name];
  }
  const { exports } = await WebAssembly.instantiate(module, imports);
  const glue = (await import(new URL('biscuit_bg.js', entry).href)) as BiscuitWasm & {
    __wbg_set_wasm(exports: unknown): void;
  };
  glue.__wbg_set_wasm(exports);
  (exports as { __wbindgen_start(): void }).__wbindgen_start();
  return glue;
}

function replacementFor(name: string): (() => unknown) | undefined {
  // It greets on stdout, which belongs to our JSON lines.
  if (name.startsWith('__wbg_log_')) return () => undefined;
  // It gives its first steps 1 ms whatever limit it is called with, so that any pause of the machine refuses a valid
  // token. Its clock stands still; what bounds the time is the kill of the thread, see verify-lane.ts.
  if (name === 'performance_now') return () => 0;
  return undefined;
}

/** One line of text for what the library threw. */
export function describeWasmError(error: unknown): string {
  if (error instanceof Error) return error.message;
  const text = typeof error === 'string' ? error : JSON.stringify(error);
  return (text ?? String(error)).slice(0, 300);
}
