import { describe, expect, it } from '@jest/globals';
import { readEventStream } from './read-event-stream.js';

const toStream = (...pieces: string[]) => {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const piece of pieces) controller.enqueue(encoder.encode(piece));
      controller.close();
    },
  });
};

async function all(...pieces: string[]) {
  const events = [];
  for await (const event of readEventStream(toStream(...pieces))) events.push(event);
  return events;
}

describe('readEventStream', () => {
  it('reads events with and without an id, however they are cut', async () => {
    expect(
      await all(': hello\n\nid: 7\nevent: x\nda', 'ta: {"a":\ndata: 1}\n\ndata:b\r\n\r\ndata: cut off'),
    ).toEqual([
      { id: '7', data: '{"a":\n1}' },
      { id: undefined, data: 'b' },
    ]);
  });
});
