import { describe, expect, it } from '@jest/globals';
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

export function describeConsuming({ connect, kill }: Connections): void {
  describe('consuming', () => {
    it('delivers in order, and never inside publish or consume', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      let isInside = false;
      const seen: { text: string; isInside: boolean }[] = [];
      await broker.consume(place.queue, { noAck: true }, ({ content }) => {
        seen.push({ text: content.toString(), isInside });
      });
      isInside = true;
      const outcomes = ['a', 'b', 'c'].map((text) => broker.publish(messageTo(place, text), publishOptions));
      isInside = false;
      expect(await Promise.all(outcomes)).toEqual(['confirmed', 'confirmed', 'confirmed']);
      await until('three deliveries', () => seen.length === 3);
      expect(seen).toEqual(['a', 'b', 'c'].map((text) => ({ text, isInside: false })));
    });

    it('has at most `prefetch` deliveries unacknowledged', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      await publishAll(broker, place, ['a', 'b', 'c', 'd', 'e']);
      const { deliveries, texts } = await collect(broker, place.queue, { prefetch: 2 });
      await until('two deliveries', () => deliveries.length === 2);
      expect((await broker.inspect(place.queue))?.messages).toBe(3);
      deliveries[0]?.ack();
      await until('the next one', () => deliveries.length === 3);
      expect((await broker.inspect(place.queue))?.messages).toBe(2);
      expect(texts()).toEqual(['a', 'b', 'c']);
    });

    it('shares the messages of a queue among its consumers', async () => {
      const [first, second] = [await connect(), await connect()];
      const place = await declarePlace(first);
      const a = await collect(first, place.queue, { prefetch: 1 });
      const b = await collect(second, place.queue, { prefetch: 1 });
      await publishAll(first, place, ['1', '2', '3']);
      await until('one delivery each', () => a.deliveries.length === 1 && b.deliveries.length === 1);
      expect(await first.inspect(place.queue)).toEqual({ messages: 1, consumers: 2 });
    });

    it('delivers again what a consumer held when its connection died, before what came later', async () => {
      const [dying, living] = [await connect(), await connect()];
      const place = await declarePlace(living);
      const held = await collect(dying, place.queue, { prefetch: 2 });
      await publishAll(living, place, ['a', 'b', 'c']);
      await until('two deliveries', () => held.deliveries.length === 2);
      await kill(dying);
      const { deliveries, texts } = await collect(living, place.queue);
      await until('three deliveries', () => deliveries.length === 3);
      expect(texts()).toEqual(['a', 'b', 'c']);
      expect(deliveries.map(({ redelivered }) => redelivered)).toEqual([true, true, false]);
      for (const delivery of held.deliveries) delivery.ack();
      for (const delivery of held.deliveries) delivery.nack({ requeue: true });
      for (const delivery of deliveries) delivery.ack();
      await until('an empty queue', async () => (await living.inspect(place.queue))?.messages === 0);
    });

    it('counts acknowledgements that were given just before the connection was closed', async () => {
      const [closing, living] = [await connect(), await connect()];
      const place = await declarePlace(living);
      const { deliveries } = await collect(closing, place.queue);
      await publishAll(living, place, ['a', 'b', 'c']);
      await until('three deliveries', () => deliveries.length === 3);
      for (const delivery of deliveries) delivery.ack();
      await closing.close();
      expect(await living.inspect(place.queue)).toEqual({ messages: 0, consumers: 0 });
    });

    it('puts a message back where it stood', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      await publishAll(broker, place, ['a', 'b']);
      const { deliveries, texts } = await collect(broker, place.queue, { prefetch: 1 });
      await until('a delivery', () => deliveries.length === 1);
      deliveries[0]?.nack({ requeue: true });
      await until('it again', () => deliveries.length === 2);
      expect(texts()).toEqual(['a', 'a']);
      expect(deliveries[1]?.redelivered).toBe(true);
      deliveries[1]?.ack();
      await until('the next', () => deliveries.length === 3);
      expect(deliveries[2]).toMatchObject({ redelivered: false });
      expect(texts()[2]).toBe('b');
    });

    it('buries a rejected message with the reason and its first queue', async () => {
      const broker = await connect();
      const place = await declareMortalPlace(broker);
      await broker.publish(messageTo(place, 'bad', { headers: { kept: 'yes' } }), publishOptions);
      const { deliveries } = await collect(broker, place.queue);
      await until('the delivery', () => deliveries.length === 1);
      deliveries[0]?.nack({ requeue: false });
      const buried = await takeOne(broker, place.grave);
      expect(buried.content.toString()).toBe('bad');
      expect(buried.headers).toMatchObject({
        kept: 'yes',
        'x-first-death-reason': 'rejected',
        'x-first-death-queue': place.queue,
        'x-first-death-exchange': place.exchange,
      });
    });

    it('buries what came back to a replicated queue too often', async () => {
      const broker = await connect();
      const place = await declareMortalPlace(broker, {
        replicated: true,
        deliveryLimit: 2,
        maxMessages: 100,
      });
      await broker.publish(messageTo(place, 'poison', { persistent: true }), publishOptions);
      let deliveries = 0;
      await broker.consume(place.queue, { prefetch: 1 }, (delivery) => {
        deliveries += 1;
        delivery.nack({ requeue: true });
      });
      const buried = await takeOne(broker, place.grave);
      expect(buried.headers).toMatchObject({ 'x-first-death-reason': 'delivery_limit' });
      expect(deliveries).toBe(3);
    });

    it('settles a delivery once: what comes after the first answer does nothing', async () => {
      const broker = await connect();
      const place = await declareMortalPlace(broker);
      await publishAll(broker, place, ['a', 'b']);
      const { deliveries } = await collect(broker, place.queue, { prefetch: 1 });
      await until('a delivery', () => deliveries.length === 1);
      deliveries[0]?.ack();
      deliveries[0]?.ack();
      deliveries[0]?.nack({ requeue: true });
      deliveries[0]?.nack({ requeue: false });
      await until('the next', () => deliveries.length === 2);
      expect(deliveries[1]?.redelivered).toBe(false);
      expect((await broker.inspect(place.grave))?.messages).toBe(0);
    });

    it('stops delivering when cancelled; what it holds can still be acknowledged', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      await publishAll(broker, place, ['a', 'b']);
      const { deliveries, consumer } = await collect(broker, place.queue, { prefetch: 1 });
      await until('a delivery', () => deliveries.length === 1);
      await consumer.cancel();
      expect(await broker.inspect(place.queue)).toEqual({ messages: 1, consumers: 0 });
      deliveries[0]?.ack();
      const next = await takeOne(broker, place.queue);
      expect(next.content.toString()).toBe('b');
      expect(next.redelivered).toBe(false);
      expect(deliveries).toHaveLength(1);
      expect(await broker.inspect(place.queue)).toEqual({ messages: 0, consumers: 0 });
    });

    it('delivers again what a cancelled consumer gives back', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      await publishAll(broker, place, ['a']);
      const { deliveries, consumer } = await collect(broker, place.queue);
      await until('a delivery', () => deliveries.length === 1);
      await consumer.cancel();
      deliveries[0]?.nack({ requeue: true });
      expect((await takeOne(broker, place.queue)).redelivered).toBe(true);
    });

    it('survives a consumer that throws', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      const seen: string[] = [];
      await broker.consume(place.queue, { noAck: true }, ({ content }) => {
        seen.push(content.toString());
        throw new Error('on purpose');
      });
      await publishAll(broker, place, ['a', 'b']);
      await until('both deliveries', () => seen.length === 2);
      expect(broker.status).toBe('connected');
    });

    it('begins when the queue is declared, if it does not exist yet', async () => {
      const broker = await connect();
      const { exchange, queue } = await declarePlace(broker);
      const late = `${queue}.late`;
      const { deliveries } = await collect(broker, late, { noAck: true });
      await broker.declare({
        exchanges: [],
        queues: [{ name: late, durable: true }],
        bindings: [{ queue: late, exchange, routingKey: 'late' }],
      });
      await broker.publish(messageTo({ exchange, key: 'late' }, 'x'), publishOptions);
      await until('the delivery', () => deliveries.length === 1);
    });
  });
}
