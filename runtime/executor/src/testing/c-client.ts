/**
 * The bytes of C clients, written and read by hand: field numbers and wire types as their own generated code has them,
 * independent of the library that the platform uses.
 */
const numbers = {
  double: 1,
  float: 2,
  int32: 3,
  int64: 4,
  uint32: 5,
  uint64: 6,
  sint32: 7,
  sint64: 8,
  fixed32: 9,
  fixed64: 10,
  sfixed32: 11,
  sfixed64: 12,
  bool: 13,
} as const;
export type NumberKind = keyof typeof numbers;
export const numberKinds = Object.keys(numbers) as NumberKind[];
const stringField = 14;
const bytesField = 15;

/** One value of a result. */
export type CItem =
  | { readonly kind: NumberKind; readonly values: readonly (number | bigint | boolean)[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Buffer };

const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Buffer.from(bytes);
}

const tag = (field: number, wireType: number): Buffer => varint(BigInt((field << 3) | wireType));
const delimited = (field: number, bytes: Buffer): Buffer =>
  Buffer.concat([tag(field, wireTypes.bytes), varint(BigInt(bytes.length)), bytes]);

function fixed(sizeBytes: 4 | 8, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(sizeBytes);
  write(buffer);
  return buffer;
}

function encodeNumber(kind: NumberKind, value: number | bigint | boolean): Buffer {
  switch (kind) {
    case 'double':
      return fixed(8, (buffer) => buffer.writeDoubleLE(Number(value)));
    case 'float':
      return fixed(4, (buffer) => buffer.writeFloatLE(Number(value)));
    case 'fixed32':
      return fixed(4, (buffer) => buffer.writeUInt32LE(Number(value)));
    case 'sfixed32':
      return fixed(4, (buffer) => buffer.writeInt32LE(Number(value)));
    case 'fixed64':
      return fixed(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)));
    case 'sfixed64':
      return fixed(8, (buffer) => buffer.writeBigInt64LE(BigInt(value)));
    case 'sint32':
    case 'sint64': {
      const number = BigInt(value);
      return varint(number >= 0n ? number * 2n : -number * 2n - 1n);
    }
    default:
      return varint(BigInt(value));
  }
}

/** A parameter of numbers, as base64. */
export function numbersParameter(kind: NumberKind, values: readonly (number | bigint | boolean)[]): string {
  const packed = Buffer.concat(values.map((value) => encodeNumber(kind, value)));
  const inner = values.length === 0 ? packed : delimited(1, packed);
  return delimited(numbers[kind], inner).toString('base64');
}

/** The same with one tag for each value, which is allowed as well. */
export function unpackedParameter(kind: 'int32' | 'bool', values: readonly (number | boolean)[]): string {
  const inner = values.map((value) => Buffer.concat([tag(1, wireTypes.varint), encodeNumber(kind, value)]));
  return delimited(numbers[kind], Buffer.concat(inner)).toString('base64');
}

export const stringParameter = (text: string): string =>
  delimited(stringField, Buffer.from(text)).toString('base64');

export const bytesParameter = (bytes: Buffer): string => delimited(bytesField, bytes).toString('base64');

/** `FC` of a function as source text. */
export const functionText = (source: string): string => delimited(1, Buffer.from(source)).toString('base64');

/** Reads tags and values one after the other. */
class Reader {
  #at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.take(1).readUInt8(0);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw new RangeError('the message ends too early');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** A field that has a length; what else there is would be no field of these messages. */
  field(): { readonly number: number; readonly bytes: Buffer } {
    const head = Number(this.varint());
    if ((head & 7) !== wireTypes.bytes) throw new RangeError(`wire type ${head & 7}`);
    return { number: head >> 3, bytes: this.take(Number(this.varint())) };
  }
}

function decodeNumbers(kind: NumberKind, packed: Buffer): (number | bigint | boolean)[] {
  const reader = new Reader(packed);
  const values: (number | bigint | boolean)[] = [];
  while (!reader.isAtEnd) {
    if (kind === 'double') values.push(reader.take(8).readDoubleLE());
    else if (kind === 'bool') values.push(reader.varint() === 1n);
    else if (kind === 'int64') values.push(BigInt.asIntN(64, reader.varint()));
    else if (kind === 'uint64') values.push(reader.varint());
    else throw new RangeError(`results have no ${kind}`);
  }
  return values;
}

function decodeItem(bytes: Buffer): CItem {
  const field = new Reader(bytes).field();
  if (field.number === stringField) return { kind: 'string', value: field.bytes.toString('utf8') };
  if (field.number === bytesField) return { kind: 'bytes', value: field.bytes };
  const kind = numberKinds.find((one) => numbers[one] === field.number);
  if (kind === undefined) throw new RangeError(`field ${field.number}`);
  if (field.bytes.length === 0) return { kind, values: [] };
  return { kind, values: decodeNumbers(kind, new Reader(field.bytes).field().bytes) };
}

/** The items of `res`. @throws {RangeError} when a client could not read it */
export function readResponse(res: string): CItem[] {
  const reader = new Reader(Buffer.from(res, 'base64'));
  const items: CItem[] = [];
  while (!reader.isAtEnd) {
    const field = reader.field();
    if (field.number !== 1) throw new RangeError(`field ${field.number}`);
    items.push(decodeItem(field.bytes));
  }
  return items;
}
