import type { Language } from '@gantry/contracts';
import { decodeBase64, encodeText } from './base64.js';
import { type SentFunction, toModuleSource } from './function-source.js';
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
  /** Language and code to function id, oldest first. */
  readonly #ids = new Map<string, Promise<number>>();

  constructor(client: GantryClient) {
    this.#client = client;
  }

  /** The id of a function, uploading it at the first call. @throws {GantryError} invalid-function, quota-exceeded … */
  idOf(fn: SentFunction, { timeoutMs }: RequestOptions): Promise<number> {
    const code = toCode(fn);
    const key = keyOf(code);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const upload = this.#upload(code, { timeoutMs });
    this.#ids.set(key, upload);
    upload.catch(() => this.#ids.delete(key));
    const oldest = this.#ids.keys().next();
    if (this.#ids.size > maxUploads && oldest.done !== true) this.#ids.delete(oldest.value);
    return upload;
  }

  /** Forgets a function, so that the next call uploads it again. */
  forget(fn: SentFunction): void {
    this.#ids.delete(keyOf(toCode(fn)));
  }

  async #upload({ base64, language, name }: Code, options: RequestOptions): Promise<number> {
    const FC = base64();
    const upload = { LANG: language, FC, FC_HASH: await sha256Hex(decodeBase64(FC)) };
    const named = name === '' ? upload : { ...upload, NAME: name.slice(0, 128) };
    return this.#client.uploadFunction(named, options);
  }
}

interface Code {
  readonly language: Language;
  readonly name: string;
  /** What makes it the same function. */
  readonly text: string;
  /** FC; asked for only when it is uploaded. */
  readonly base64: () => string;
}

function toCode(fn: SentFunction): Code {
  if (typeof fn === 'object')
    return { language: fn.language, name: fn.name, text: fn.code, base64: () => fn.code };
  const text = toModuleSource(fn);
  return {
    ...{ language: 'JS', text },
    name: typeof fn === 'string' ? '' : fn.name,
    base64: () => encodeText(text),
  };
}

const keyOf = ({ language, text }: Code): string => `${language} ${text}`;

/** FC_HASH is informative; pages without a secure origin have no SubtleCrypto and send none. */
async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const subtle = globalThis.crypto.subtle as typeof globalThis.crypto.subtle | undefined;
  if (subtle === undefined) return '';
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
