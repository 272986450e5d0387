/**
 * Writes plain values as pickle of protocol 4, which every Python since 3.4 reads.
 *
 * I1. A value that Python would get as something else than it is here is refused, with its place: instances of classes,
 *     functions, cycles, texts that are no Unicode.
 */
import { ByteWriter } from './byte-writer.js';
import { opcodes as op } from './opcodes.js';
import { PickleError, PythonFloat, type PythonInput, PythonTuple } from './python-values.js';

const protocol = 4;
/** Deeper values are a mistake or an attack; Python's own pickler gives up at about 1000. */
const maxDepth = 500;
const encoder = new TextEncoder();

/** The pickle of a plain value. @throws {PickleError} for a value that Python has nothing plain for */
export function writePickle(value: PythonInput): Uint8Array {
  const writer = new ByteWriter();
  writer.uint8(op.proto, protocol);
  new ValueWriter(writer).write(value);
  writer.uint8(op.stop);
  return writer.finish();
}

/** The pickle of what a call of `module.name` with plain arguments gives where it is loaded. */
export function writePickledCall(module: string, name: string, args: readonly PythonInput[]): Uint8Array {
  const writer = new ByteWriter();
  writer.uint8(op.proto, protocol, op.global);
  writer.bytes(encoder.encode(`${module}\n${name}\n`));
  new ValueWriter(writer).write(new PythonTuple(args));
  writer.uint8(op.reduce, op.stop);
  return writer.finish();
}

class ValueWriter {
  readonly #writer: ByteWriter;
  /** The containers around the value that is written, and what of each is being written. */
  readonly #path = new Set<object>();
  readonly #trail: (PythonInput | number)[] = [];

  constructor(writer: ByteWriter) {
    this.#writer = writer;
  }

  write(value: PythonInput): void {
    const writer = this.#writer;
    if (value === null || value === undefined) writer.uint8(op.none);
    else if (typeof value === 'boolean') writer.uint8(value ? op.newTrue : op.newFalse);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'bigint') this.#bigint(value);
    else if (typeof value === 'string') this.#text(value);
    else if (value instanceof Uint8Array) this.#bytes(value);
    else if (value instanceof PythonFloat) this.#float(value.value);
    else if (typeof value === 'object') this.#container(value);
    else throw this.#refusal(`is a ${typeof value}, which Python has nothing for`);
  }

  #number(value: number): void {
    const writer = this.#writer;
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) this.#float(value);
    else if (value >= 0 && value <= 0xff) writer.uint8(op.binInt1, value);
    else if (value >= 0 && value <= 0xffff) {
      writer.uint8(op.binInt2);
      writer.uint16(value);
    } else if (value >= -(2 ** 31) && value < 2 ** 31) {
      writer.uint8(op.binInt);
      writer.int32(value);
    } else this.#bigint(BigInt(value));
  }

  #float(value: number): void {
    this.#writer.uint8(op.binFloat);
    this.#writer.float64(value);
  }

  #bigint(value: bigint): void {
    const bytes = twosComplementOf(value);
    if (bytes.length <= 0xff) this.#writer.uint8(op.long1, bytes.length);
    else {
      this.#writer.uint8(op.long4);
      this.#writer.uint32(bytes.length);
    }
    this.#writer.bytes(bytes);
  }

  #text(value: string): void {
    // I1: the encoder would write another character in its place.
    if (/\p{Surrogate}/u.test(value)) throw this.#refusal('holds half a character (a lone surrogate)');
    const bytes = encoder.encode(value);
    this.#sized(bytes, [op.shortBinUnicode, op.binUnicode, op.binUnicode8]);
  }

  #bytes(value: Uint8Array): void {
    this.#sized(value, [op.shortBinBytes, op.binBytes, op.binBytes8]);
  }

  #sized(bytes: Uint8Array, [short, usual, long]: readonly [number, number, number]): void {
    const writer = this.#writer;
    if (bytes.length <= 0xff) writer.uint8(short, bytes.length);
    else if (bytes.length <= 0xffffffff) {
      writer.uint8(usual);
      writer.uint32(bytes.length);
    } else {
      writer.uint8(long);
      writer.uint64(bytes.length);
    }
    writer.bytes(bytes);
  }

  #container(value: Exclude<PythonInput, string | undefined | null> & object): void {
    // I1
    if (this.#path.has(value)) throw this.#refusal('contains itself');
    if (this.#path.size >= maxDepth) throw this.#refusal(`lies more than ${maxDepth} levels deep`);
    this.#path.add(value);
    if (value instanceof PythonTuple) {
      this.#writer.uint8(op.mark);
      this.#items(value.items, op.tuple);
    } else if (Array.isArray(value)) {
      this.#writer.uint8(op.emptyList, op.mark);
      this.#items(value as readonly PythonInput[], op.appends);
    } else if (value instanceof Set) {
      this.#writer.uint8(op.emptySet, op.mark);
      this.#items(value as Set<PythonInput>, op.addItems);
    } else if (value instanceof Map) this.#pairs(value as Map<PythonInput, PythonInput>);
    else if (isPlainObject(value)) this.#pairs(Object.entries(value as Record<string, PythonInput>));
    else throw this.#refusal(`is a ${nameOf(value)}, which Python has nothing for`);
    this.#path.delete(value);
  }

  #items(items: Iterable<PythonInput>, end: number): void {
    let index = 0;
    for (const item of items) {
      this.#writeAt(index, item);
      index += 1;
    }
    this.#writer.uint8(end);
  }

  #pairs(pairs: Iterable<readonly [PythonInput, PythonInput]>): void {
    this.#writer.uint8(op.emptyDict, op.mark);
    for (const [key, item] of pairs) {
      this.#writeAt('a key', key);
      this.#writeAt(key, item);
    }
    this.#writer.uint8(op.setItems);
  }

  #writeAt(place: PythonInput | number, value: PythonInput): void {
    this.#trail.push(place);
    this.write(value);
    this.#trail.pop();
  }

  #refusal(what: string): PickleError {
    const place = this.#trail.map((one) => `[${typeof one === 'object' ? '…' : String(one)}]`).join('');
    return new PickleError(`the value${place.slice(0, 200)} ${what}`);
  }
}

const isPlainObject = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  // The prototype of the prototype: objects of another realm are plain too.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
};

const nameOf = (value: object): string => value.constructor?.name || 'object without a class';

/** The fewest bytes, little-endian, that hold the value and its sign. */
function twosComplementOf(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array();
  const bits = (value < 0n ? -value - 1n : value).toString(2).length + 1;
  const length = Math.ceil(bits / 8);
  const hex = BigInt.asUintN(length * 8, value)
    .toString(16)
    .padStart(length * 2, '0');
  return Uint8Array.from({ length }, (_none, index) => {
    const at = (length - 1 - index) * 2;
    return Number.parseInt(hex.slice(at, at + 2), 16);
  });
}
