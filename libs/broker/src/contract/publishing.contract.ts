import { describe, expect, it } from '@jest/globals';
import type { PublishOutcome } from '../ports.js';
import {
  type Connections,
  collect,
  declareMortalPlace,
  declarePlace,
  messageTo,
  publishAll,
  publishOptions,
  takeOne,
  until,
} from './harness.js';

const count = (outcomes: readonly PublishOutcome[], outcome: PublishOutcome): number =>
  outcomes.filter((each) => each === outcome).length;

/** Publishes one after the other until the queue refuses; answers how many it took. */
async function publishUntilRefused(publish: () => Promise<PublishOutcome>): Promise<number> {
  for (let taken = 0; taken < 100; taken += 1) {
    const outcome = await publish();
    if (outcome === 'rejected') return taken;
    expect(outcome).toBe('confirmed');
  }
  throw new Error('the queue took 100 messages');
}

export function describePublishing({ connect }: Connections): void {
  describe('publishing', () => {
    it('confirms what a queue took, and delivers the same bytes, headers, id and key', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      const headers = {
        text: 'ä',
        integer: 7,
        large: 1_790_000_000_000,
        fraction: 0.25,
        yes: true,
        no: false,
      };
      const message = messageTo(place, Buffer.from([0, 255, 1]), { messageId: 'm-1', headers });
      expect(await broker.publish(message, publishOptions)).toBe('confirmed');
      const delivery = await takeOne(broker, place.queue);
      expect(delivery).toMatchObject({ messageId: 'm-1', routingKey: 'key', redelivered: false });
      expect(delivery.headers).toMatchObject(headers);
      expect([...delivery.content]).toEqual([0, 255, 1]);
    });

    it('carries an empty message and one of several megabytes', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      const large = Buffer.alloc(5_000_000, 'gantry');
      for (const content of [Buffer.alloc(0), large]) {
        expect(await broker.publish(messageTo(place, content), publishOptions)).toBe('confirmed');
        expect((await takeOne(broker, place.queue)).content.equals(content)).toBe(true);
      }
    });

    it('ends as unroutable when no queue is bound to the key', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      const lost = messageTo({ ...place, key: 'nobody' }, 'lost');
      expect(await broker.publish(lost, publishOptions)).toBe('unroutable');
    });

    it('tells apart the outcomes of many publishes in flight, also with one message id for all', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, (_, index) => {
          const key = index % 3 === 0 ? 'nobody' : place.key;
          return broker.publish(messageTo({ ...place, key }, 'x', { messageId: 'same' }), publishOptions);
        }),
      );
      expect(outcomes.map((outcome) => outcome === 'unroutable')).toEqual(
        outcomes.map((_, index) => index % 3 === 0),
      );
      expect(count(outcomes, 'confirmed')).toBe(133);
    });

    it('routes topic keys by words: * is one, # is any number', async () => {
      const broker = await connect();
      const one = await declarePlace(broker);
      const any = await declarePlace(broker);
      const exchange = `${one.exchange}.topic`;
      await broker.declare({
        exchanges: [{ name: exchange, type: 'topic' }],
        queues: [],
        bindings: [
          { queue: one.queue, exchange, routingKey: 'a.*' },
          { queue: any.queue, exchange, routingKey: 'a.#' },
        ],
      });
      for (const key of ['a', 'a.b', 'a.b.c', 'b.a']) {
        const outcome = await broker.publish(messageTo({ exchange, key }, key), publishOptions);
        expect(outcome).toBe(key === 'b.a' ? 'unroutable' : 'confirmed');
      }
      const atAny = await collect(broker, any.queue);
      await until('three messages', () => atAny.deliveries.length === 3);
      expect(atAny.texts()).toEqual(['a', 'a.b', 'a.b.c']);
      expect((await broker.inspect(one.queue))?.messages).toBe(1);
    });

    it('delivers once to a queue that two bindings match', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      const exchange = `${place.exchange}.topic`;
      const bindings = ['#', 'a.*'].map((routingKey) => ({ queue: place.queue, exchange, routingKey }));
      await broker.declare({ exchanges: [{ name: exchange, type: 'topic' }], queues: [], bindings });
      await broker.publish(messageTo({ exchange, key: 'a.b' }, 'x'), publishOptions);
      await until('the message', async () => (await broker.inspect(place.queue))?.messages === 1);
    });

    it('is rejected at the limit in messages, softly, and taken again when there is room', async () => {
      const broker = await connect();
      const place = await declarePlace(broker, { maxMessages: 5 });
      const publish = () => broker.publish(messageTo(place, 'x'), publishOptions);
      const taken = await publishUntilRefused(publish);
      expect(taken).toBeGreaterThanOrEqual(5);
      expect(taken).toBeLessThanOrEqual(7);
      const { deliveries, consumer } = await collect(broker, place.queue);
      await until('the queue to be empty', () => deliveries.length === taken);
      await consumer.cancel();
      for (const delivery of deliveries) delivery.ack();
      await until('room', async () => (await publish()) === 'confirmed');
    });

    it('is rejected at the limit in bytes', async () => {
      const broker = await connect();
      const place = await declarePlace(broker, { maxBytes: 4000 });
      const taken = await publishUntilRefused(() =>
        broker.publish(messageTo(place, Buffer.alloc(1000)), publishOptions),
      );
      expect(taken).toBeGreaterThanOrEqual(4);
      expect(taken).toBeLessThanOrEqual(6);
    });

    it('makes room for the newest in a drop-head queue', async () => {
      const broker = await connect();
      const place = await declarePlace(broker, { maxMessages: 2, overflow: 'drop-head' });
      await publishAll(broker, place, ['a', 'b', 'c', 'd']);
      const { deliveries, texts } = await collect(broker, place.queue);
      await until('two messages', () => deliveries.length === 2);
      expect(texts()).toEqual(['c', 'd']);
    });

    it('buries what expired at the head of its queue', async () => {
      const broker = await connect();
      const place = await declareMortalPlace(broker);
      const short = messageTo(place, 'short', { expirationMs: 50, headers: { kept: 'yes' } });
      expect(await broker.publish(short, publishOptions)).toBe('confirmed');
      const buried = await takeOne(broker, place.grave);
      expect(buried.headers).toMatchObject({ kept: 'yes', 'x-first-death-reason': 'expired' });
      expect(buried.content.toString()).toBe('short');
      expect((await broker.inspect(place.queue))?.messages).toBe(0);
    });

    it('never confirms a publish to an exchange that does not exist, and goes on publishing', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      const nowhere = messageTo({ ...place, exchange: `${place.exchange}.unknown` }, 'x');
      expect(await broker.publish(nowhere, publishOptions)).toBe('unavailable');
      await until(
        'publishing to work again',
        async () => (await broker.publish(messageTo(place, 'x'), publishOptions)) === 'confirmed',
      );
    });

    it('ends as unavailable, at once, on a closed connection', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      await broker.close();
      expect(broker.status).toBe('closed');
      expect(await broker.publish(messageTo(place, 'x'), publishOptions)).toBe('unavailable');
    });
  });
}
