import { PickleError } from './python-values.js';

/** Not the default, which would drop a byte order mark at the start of a text. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const newline = 0x0a;

/** Reads a pickle from its first byte to its last; every method throws {PickleError} at the end of the bytes. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Where the byte stands that was read last. */
  get lastOffset(): number {
    return this.#offset - 1;
  }

  uint8(): number {
    return this.#view.getUint8(this.skip(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.skip(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.skip(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.skip(4), true);
  }

  /** A length; beyond what can be here it is refused like any other that is too long. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.skip(8), true));
  }

  /** Big-endian, unlike everything else. */
  float64(): number {
    return this.#view.getFloat64(this.skip(8), false);
  }

  /** A copy: what is read must not keep the whole answer in memory. */
  bytes(length: number): Uint8Array {
    const start = this.skip(length);
    return this.#bytes.slice(start, start + length);
  }

  text(length: number): string {
    const start = this.skip(length);
    try {
      return utf8.decode(this.#bytes.subarray(start, start + length));
    } catch {
      throw new PickleError('a str holds a lone surrogate, which has no place in Unicode text');
    }
  }

  /** A little-endian integer in two's complement. */
  integer(length: number): bigint {
    const bytes = this.bytes(length);
    if (length === 0) return 0n;
    const hex: string[] = [];
    for (let index = length - 1; index >= 0; index -= 1)
      hex.push((bytes[index] ?? 0).toString(16).padStart(2, '0'));
    return BigInt.asIntN(length * 8, BigInt(`0x${hex.join('')}`));
  }

  /** Up to the next line end, one character a byte. */
  line(): string {
    const start = this.#offset;
    const end = this.#bytes.indexOf(newline, start);
    if (end === -1) throw ended();
    this.#offset = end + 1;
    const parts: string[] = [];
    for (let offset = start; offset < end; offset += 4096)
      parts.push(String.fromCharCode(...this.#bytes.subarray(offset, Math.min(end, offset + 4096))));
    return parts.join('');
  }

  /** Moves on; answers where it was. */
  skip(length: number): number {
    const start = this.#offset;
    if (length < 0 || length > this.#bytes.length - start) throw ended();
    this.#offset = start + length;
    return start;
  }
}

const ended = () => new PickleError('the bytes end in the middle of a pickle');
