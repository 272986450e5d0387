import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { readServerEvents } from './read-server-events.js';

async function read(chunks: Iterable<string | Buffer>): Promise<string[]> {
  const seen: string[] = [];
  const bytes = [...chunks].map((chunk) => Buffer.from(chunk as string));
  for await (const data of readServerEvents(Readable.from(bytes))) seen.push(data);
  return seen;
}

describe('readServerEvents', () => {
  const text = ':\n\nid: 1\ndata: {"a":"é"}\n\ndata:x\r\ndata: y\r\n\r\nevent: none\n\ndata: cut';

  it('has the data of whole events, however the bytes are cut', async () => {
    const expected = ['{"a":"é"}', 'x\ny'];
    expect(await read([text])).toEqual(expected);
    expect(await read([...Buffer.from(text)].map((byte) => Buffer.from([byte])))).toEqual(expected);
  });

  it('refuses an event that is too large, also one of many lines or without an end', async () => {
    const half = `data: ${'x'.repeat(140 * 1024)}`;
    expect(await read([`${half}\n\n`, `${half}\n\n`])).toHaveLength(2);
    await expect(read([`${half}\n`, `${half}\n\n`])).rejects.toThrow(RangeError);
    await expect(read(Array.from({ length: 300 }, () => 'x'.repeat(1024)))).rejects.toThrow(RangeError);
  });

  it('looks at what has come once', async () => {
    let looked = 0;
    const original = String.prototype.indexOf;
    // Counts the characters that are searched for the end of a line.
    String.prototype.indexOf = function (this: string, what: string, from = 0): number {
      if (what === '\n') looked += this.length - from;
      return original.call(this, what, from);
    };
    try {
      await read(['data: ', ...Array.from({ length: 2000 }, () => 'x'.repeat(100)), '\n\n']);
    } finally {
      String.prototype.indexOf = original;
    }
    expect(looked).toBeGreaterThan(200_000);
    expect(looked).toBeLessThan(220_000);
  });
});
