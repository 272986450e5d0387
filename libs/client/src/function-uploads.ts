import { encodeText } from './base64.js';
import { type FunctionLike, toModuleSource } from './function-source.js';
import type { GantryClient } from './gantry-client.js';
import type { RequestOptions } from './transport.js';

/** Sources whose ids are remembered; a device calls a handful. */
const maxUploads = 128;

/**
 * The ids of uploaded functions, by their source.
 *
 * I1. Calls with the same source share one upload, and one that failed is forgotten.
 * I2. An upload runs without the signal of the call that began it, because others may wait for it.
 */
export class FunctionUploads {
  readonly #client: GantryClient;
  /** Module source to function id, oldest first. */
  readonly #ids = new Map<string, Promise<number>>();

  constructor(client: GantryClient) {
    this.#client = client;
  }

  /** The id of a function, uploading it at the first call. @throws {GantryError} invalid-function, quota-exceeded … */
  idOf(fn: FunctionLike | string, { timeoutMs }: RequestOptions): Promise<number> {
    const source = toModuleSource(fn);
    const known = this.#ids.get(source);
    if (known !== undefined) return known;
    const upload = this.#upload(source, typeof fn === 'string' ? '' : fn.name, { timeoutMs });
    this.#ids.set(source, upload);
    upload.catch(() => this.#ids.delete(source));
    const oldest = this.#ids.keys().next();
    if (this.#ids.size > maxUploads && oldest.done !== true) this.#ids.delete(oldest.value);
    return upload;
  }

  /** Forgets a function, so that the next call uploads it again. */
  forget(fn: FunctionLike | string): void {
    this.#ids.delete(toModuleSource(fn));
  }

  async #upload(source: string, name: string, options: RequestOptions): Promise<number> {
    const upload = { LANG: 'JS', FC: encodeText(source), FC_HASH: await sha256Hex(source) };
    const named = name === '' ? upload : { ...upload, NAME: name.slice(0, 128) };
    return this.#client.uploadFunction(named, options);
  }
}

/** FC_HASH is informative; pages without a secure origin have no SubtleCrypto and send none. */
async function sha256Hex(text: string): Promise<string> {
  const subtle = globalThis.crypto.subtle as typeof globalThis.crypto.subtle | undefined;
  if (subtle === undefined) return '';
  const digest = new Uint8Array(await subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
