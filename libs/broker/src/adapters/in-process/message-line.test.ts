import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MessageLine, type StoredMessage } from './message-line.js';

const stored = (position: number, sizeBytes = 1): StoredMessage => ({
  message: {
    exchange: 'e',
    routingKey: 'k',
    messageId: String(position),
    headers: {},
    content: Buffer.alloc(sizeBytes),
    persistent: false,
  },
  position,
  expiresAtMs: undefined,
  deliveryCount: 0,
});

describe('the line of waiting messages', () => {
  it('behaves as a list sorted by position, whatever is taken and put back', () => {
    const step = fc.oneof(
      fc.constant('push' as const),
      fc.constant('take' as const),
      fc.record({ putBack: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const line = new MessageLine();
        const model: StoredMessage[] = [];
        const held: StoredMessage[] = [];
        let position = 0;
        for (const each of steps) {
          if (each === 'push') {
            position += 1;
            const message = stored(position, position % 7);
            line.push(message);
            model.push(message);
          } else if (each === 'take') {
            const taken = line.take();
            expect(taken).toBe(model.shift());
            if (taken !== undefined) held.push(taken);
          } else {
            const [returned] = held.splice(each.putBack % Math.max(1, held.length), 1);
            if (returned === undefined) continue;
            line.putBack(returned);
            model.push(returned);
            model.sort((a, b) => a.position - b.position);
          }
          expect(line.length).toBe(model.length);
          expect(line.peek()).toBe(model[0]);
          expect(line.sizeBytes).toBe(model.reduce((sum, { message }) => sum + message.content.length, 0));
        }
      }),
    );
  });

  it('stays in order over many thousand messages', () => {
    const line = new MessageLine();
    const count = 10_000;
    for (let position = 1; position <= count; position += 1) line.push(stored(position));
    for (let position = 1; position <= count; position += 1) expect(line.take()?.position).toBe(position);
    expect(line.take()).toBeUndefined();
    expect(line).toMatchObject({ length: 0, sizeBytes: 0 });
  });
});
