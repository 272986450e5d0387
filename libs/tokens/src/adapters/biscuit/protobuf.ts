/**
 * The part of protobuf that Biscuit tokens are written in: varints and length-delimited fields. The reader is stricter
 * than the format, because two readers look at each token (this one and the wasm library) and must never disagree:
 * other wire types, overlong varints and lengths past the end are refused.
 */

/** What is thrown for bytes that are not a token. */
export class WireFormatError extends Error {
  override readonly name = 'WireFormatError';
}

interface WireField {
  readonly number: number;
  /** Of a varint field; 0n for others. */
  readonly varint: bigint;
  /** Of a length-delimited field; undefined for varints. */
  readonly bytes: Uint8Array | undefined;
}

const wireVarint = 0;
const wireBytes = 2;
const maxVarintBits = 63n;

/** @throws {WireFormatError} when the bytes are not a plain message */
function readFields(message: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  let offset = 0;
  const readVarint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift <= maxVarintBits; shift += 7n) {
      const byte = message[offset];
      if (byte === undefined) throw new WireFormatError('a number is cut off');
      offset += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) {
        if (byte === 0 && shift > 0n) throw new WireFormatError('a number is written longer than needed');
        return BigInt.asUintN(64, value);
      }
    }
    throw new WireFormatError('a number is longer than 64 bits');
  };
  while (offset < message.length) {
    const tag = Number(readVarint());
    const number = Math.floor(tag / 8);
    if (tag % 8 === wireVarint) {
      fields.push({ number, varint: readVarint(), bytes: undefined });
    } else if (tag % 8 === wireBytes) {
      const end = Number(readVarint()) + offset;
      if (end > message.length) throw new WireFormatError('a field is longer than its message');
      fields.push({ number, varint: 0n, bytes: message.subarray(offset, end) });
      offset = end;
    } else {
      throw new WireFormatError('a field has a wire type that tokens do not use');
    }
  }
  return fields;
}

/** Collects the fields of one message by number and refuses what the schema does not name. */
export class MessageReader {
  readonly #fields: readonly WireField[];

  /** @throws {WireFormatError} for a field that is neither in `singular` (at most once) nor in `repeated` */
  constructor(message: Uint8Array, singular: readonly number[], repeated: readonly number[] = []) {
    this.#fields = readFields(message);
    const seen = new Set<number>();
    for (const { number } of this.#fields) {
      if (repeated.includes(number)) continue;
      if (!singular.includes(number)) throw new WireFormatError(`field ${number} is not known`);
      if (seen.has(number)) throw new WireFormatError(`field ${number} appears twice`);
      seen.add(number);
    }
  }

  /** All fields in their order. */
  fields(): readonly WireField[] {
    return this.#fields;
  }

  bytesList(number: number): Uint8Array[] {
    return this.#fields.filter((field) => field.number === number).map((field) => needBytes(field));
  }

  optionalBytes(number: number): Uint8Array | undefined {
    return this.bytesList(number)[0];
  }

  bytes(number: number): Uint8Array {
    const found = this.optionalBytes(number);
    if (found === undefined) throw new WireFormatError(`field ${number} is missing`);
    return found;
  }

  optionalNumber(number: number): number | undefined {
    const field = this.#fields.find((candidate) => candidate.number === number);
    if (field === undefined) return undefined;
    if (field.bytes !== undefined) throw new WireFormatError(`field ${number} is not a number`);
    const value = Number(field.varint);
    if (!Number.isSafeInteger(value)) throw new WireFormatError(`field ${number} is out of range`);
    return value;
  }
}

function needBytes(field: WireField): Uint8Array {
  if (field.bytes === undefined) throw new WireFormatError(`field ${field.number} has the wrong type`);
  return field.bytes;
}

/** One varint field. */
export function numberField(number: number, value: number): Uint8Array {
  return Buffer.from([...varintBytes(number * 8 + wireVarint), ...varintBytes(value)]);
}

/** One length-delimited field. */
export function bytesField(number: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from([...varintBytes(number * 8 + wireBytes), ...varintBytes(value.length)]),
    value,
  ]);
}

function varintBytes(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
