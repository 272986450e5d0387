/**
 * Length-prefixed frames between the supervisor and an executor process.
 *
 *     u32 length of the rest | u8 kind | u32 length of meta | meta (JSON, UTF-8) | payload (bytes)
 *
 * I1  The reader never copies a frame that arrived in one chunk; one that arrived in several is copied once.
 * I2  A frame larger than the bound, or one that is not well-formed, ends the connection: the peer is not trusted.
 * I3  Memory is taken for what arrived, not for what was announced: at most four times as much.
 *
 * This file runs on both sides of the sandbox: it imports nothing but Node itself, and takes from the global object
 * only while it is loaded, because functions share that object with it.
 */
import { Buffer } from 'node:buffer';

const { parse, stringify } = JSON;

export const frameKinds = {
  /** Supervisor: run this call. Payload: the parameters. */
  run: 1,
  /** Supervisor: the code that was asked for. Payload: the code. */
  code: 2,
  /** Supervisor: stop this call. */
  abort: 3,
  /** Executor: ready for calls. */
  ready: 4,
  /** Executor: the function of this call is not loaded; send its code. */
  needCode: 5,
  /** Executor: how far the call is. */
  progress: 6,
  /** Executor: the call is over. Payload: the answer (if it succeeded), then the log. */
  done: 7,
  /** Executor: the call waits for a thread to boot, or no longer does. */
  phase: 8,
} as const;
export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

export interface Frame {
  readonly kind: number;
  readonly meta: unknown;
  readonly payload: Buffer;
}

const prefixBytes = 4;
const headBytes = 5;
/** Parts up to this size are put into one write; copying them is cheaper than a second system call. */
const inlinePayloadBytes = 16 * 1024;
export const maxMetaBytes = 128 * 1024;
/** The first memory of a frame that arrives in several chunks, and how it grows (I3). */
const firstBodyBytes = 64 * 1024;
const growth = 4;
const empty = Buffer.alloc(0);

/** The bytes of a frame, in one buffer or (large payload, not copied) two. */
export function encodeFrame(kind: FrameKind, meta: unknown, payload: Uint8Array = empty): Uint8Array[] {
  const metaText = stringify(meta);
  const metaBytes = Buffer.byteLength(metaText);
  const inline = payload.byteLength <= inlinePayloadBytes;
  const head = Buffer.allocUnsafe(prefixBytes + headBytes + metaBytes + (inline ? payload.byteLength : 0));
  head.writeUInt32BE(headBytes + metaBytes + payload.byteLength, 0);
  head.writeUInt8(kind, prefixBytes);
  head.writeUInt32BE(metaBytes, prefixBytes + 1);
  head.write(metaText, prefixBytes + headBytes, 'utf8');
  if (!inline) return [head, payload];
  head.set(payload, prefixBytes + headBytes + metaBytes);
  return [head];
}

/** Cuts a byte stream into frames. */
export class FrameReader {
  #maxFrameBytes: number;
  readonly #onFrame: (frame: Frame) => void;
  /** Bytes of an unfinished length prefix. */
  #prefix: Buffer = empty;
  /** The unfinished frame as far as it is there, with room to grow, and its length when it is whole. */
  #body: Buffer | undefined;
  #filled = 0;
  #length = 0;

  constructor(maxFrameBytes: number, onFrame: (frame: Frame) => void) {
    this.#maxFrameBytes = maxFrameBytes;
    this.#onFrame = onFrame;
  }

  /** Sets another bound from now on. @throws {RangeError} when the frame that is on its way is larger (I2) */
  limitTo(maxFrameBytes: number): void {
    this.#maxFrameBytes = maxFrameBytes;
    if (this.#body !== undefined) this.#check(this.#length);
  }

  /** Calls `onFrame` for each frame that is now complete. @throws {RangeError} I2 */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0)
      rest = this.#body === undefined ? this.#startFrame(rest) : this.#fillFrame(this.#body, rest);
  }

  #startFrame(bytes: Buffer): Buffer {
    const joined = this.#prefix.length === 0 ? bytes : Buffer.concat([this.#prefix, bytes]);
    if (joined.length < prefixBytes) {
      this.#prefix = Buffer.from(joined);
      return empty;
    }
    this.#prefix = empty;
    const length = joined.readUInt32BE(0);
    this.#check(length);
    const end = prefixBytes + length;
    if (joined.length >= end) {
      this.#emit(joined.subarray(prefixBytes, end)); // I1
      return joined.subarray(end);
    }
    this.#length = length;
    this.#filled = 0;
    this.#body = Buffer.allocUnsafeSlow(Math.min(length, Math.max(firstBodyBytes, joined.length)));
    return this.#fillFrame(this.#body, joined.subarray(prefixBytes));
  }

  #check(length: number): void {
    if (length >= headBytes && length <= this.#maxFrameBytes) return;
    throw new RangeError(`a frame of ${length} bytes is outside the bound of ${this.#maxFrameBytes}`);
  }

  #fillFrame(body: Buffer, bytes: Buffer): Buffer {
    const taken = Math.min(this.#length - this.#filled, bytes.length);
    const room = this.#filled + taken > body.length ? this.#grow(body, taken) : body;
    bytes.copy(room, this.#filled, 0, taken);
    this.#filled += taken;
    if (this.#filled === this.#length) {
      this.#body = undefined;
      this.#emit(room);
    }
    return bytes.subarray(taken);
  }

  /** Room for `more` bytes (I3). */
  #grow(body: Buffer, more: number): Buffer {
    const wanted = Math.max(body.length * growth, this.#filled + more);
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#length, wanted));
    body.copy(larger, 0, 0, this.#filled);
    this.#body = larger;
    return larger;
  }

  #emit(body: Buffer): void {
    const metaBytes = body.readUInt32BE(1);
    if (metaBytes > maxMetaBytes || headBytes + metaBytes > body.length) {
      throw new RangeError(`frame metadata of ${metaBytes} bytes is outside its frame`);
    }
    const meta: unknown = parse(body.toString('utf8', headBytes, headBytes + metaBytes));
    this.#onFrame({ kind: body.readUInt8(0), meta, payload: body.subarray(headBytes + metaBytes) });
  }
}
