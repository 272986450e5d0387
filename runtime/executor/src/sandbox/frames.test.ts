import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeFrame, type Frame, FrameReader, frameKinds } from './frames.js';

const bound = 1024 * 1024;
const kinds = fc.constantFrom(...Object.values(frameKinds));
const frames = fc.array(
  fc.record({ kind: kinds, meta: fc.jsonValue(), payload: fc.uint8Array({ maxLength: 40_000 }) }),
  { maxLength: 5 },
);

function readAll(bytes: Buffer, cuts: readonly number[]): Frame[] {
  const read: Frame[] = [];
  const reader = new FrameReader(bound, (frame) =>
    read.push({ ...frame, payload: Buffer.from(frame.payload) }),
  );
  let start = 0;
  for (const cut of [
    ...cuts.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b),
    bytes.length,
  ]) {
    reader.push(bytes.subarray(start, cut));
    start = cut;
  }
  return read;
}

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        frames,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
        (sent, cuts) => {
          const bytes = Buffer.concat(
            sent.flatMap(({ kind, meta, payload }) => encodeFrame(kind, meta, payload)),
          );
          const read = readAll(bytes, cuts);
          expect(read.map(({ kind }) => kind)).toEqual(sent.map(({ kind }) => kind));
          expect(read.map(({ meta }) => JSON.stringify(meta))).toEqual(
            sent.map(({ meta }) => JSON.stringify(meta)),
          );
          expect(read.every(({ payload }, i) => payload.equals(sent[i]?.payload ?? payload))).toBe(true);
        },
      ),
    );
  });

  it('survive a stream of single bytes', () => {
    const bytes = Buffer.concat(encodeFrame(frameKinds.run, { call: 1 }, Buffer.from('abc')));
    const read: Frame[] = [];
    const reader = new FrameReader(bound, (frame) => read.push(frame));
    for (const byte of bytes) reader.push(Buffer.from([byte]));
    expect(read).toEqual([{ kind: frameKinds.run, meta: { call: 1 }, payload: Buffer.from('abc') }]);
  });

  it('that are only announced take no memory, and a large one arrives whole', () => {
    const large = 200 * 1024 * 1024;
    const readers: FrameReader[] = [];
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 10; i += 1) {
      const reader = new FrameReader(large, () => undefined);
      const head = Buffer.alloc(9);
      head.writeUInt32BE(large, 0);
      reader.push(head);
      readers.push(reader);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(readers.length * 1024 * 1024);
    const sent = Buffer.alloc(3_000_001, 'abcdefg');
    const bytes = Buffer.concat(encodeFrame(frameKinds.done, {}, sent));
    const read: Frame[] = [];
    const reader = new FrameReader(large, (frame) => read.push(frame));
    for (let at = 0; at < bytes.length; at += 65_536) reader.push(bytes.subarray(at, at + 65_536));
    expect(read[0]?.payload.equals(sent)).toBe(true);
  });

  it('on their way are refused when the bound becomes less than they are', () => {
    const reader = new FrameReader(1000, () => undefined);
    reader.push(Buffer.from([0, 0, 1, 0, 7]));
    expect(() => reader.limitTo(100)).toThrow('a frame of 256 bytes is outside the bound of 100');
    reader.limitTo(1000);
  });

  it('are refused when larger than the bound, before they are read', () => {
    const reader = new FrameReader(100, () => undefined);
    expect(() => reader.push(Buffer.from([0, 0, 1, 0]))).toThrow('outside the bound of 100');
  });

  it.each([
    ['metadata longer than its frame', Buffer.from([0, 0, 0, 5, 1, 0, 0, 0, 9])],
    ['metadata that is not JSON', Buffer.from([0, 0, 0, 6, 1, 0, 0, 0, 1, 0x7b])],
    ['a frame too short for its head', Buffer.from([0, 0, 0, 2, 1, 0])],
  ])('are refused with %s', (_name, bytes) => {
    expect(() => new FrameReader(bound, () => undefined).push(bytes)).toThrow();
  });
});
