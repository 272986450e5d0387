import { hasCode, silentLogger } from '@gantry/kernel';
import { describe, expect, it } from '@jest/globals';
import { checkBroker } from '../check-broker.js';
import { isTopologyMismatchError } from '../topology-mismatch-error.js';
import {
  type Connections,
  collect,
  declarePlace,
  messageTo,
  publishOptions,
  timeoutMs,
  until,
} from './harness.js';

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

export function describeDeclaring({ connect, kill }: Connections): void {
  describe('declaring and asking', () => {
    it('may be done again, by any connection', async () => {
      const [first, second] = [await connect(), await connect()];
      const spec = {
        name: (await declarePlace(first, { maxMessages: 10 })).queue,
        durable: true,
        maxMessages: 10,
      };
      const topology = { exchanges: [], queues: [spec], bindings: [] };
      await first.declare(topology);
      await second.declare(topology);
      expect(await second.inspect(spec.name)).toEqual({ messages: 0, consumers: 0 });
    });

    it('refuses other arguments, says which, and changes nothing', async () => {
      const broker = await connect();
      const place = await declarePlace(broker, { maxMessages: 10 });
      const inFlight = broker.publish(messageTo(place, 'x'), publishOptions);
      const queues = [{ name: place.queue, durable: true, maxMessages: 20 }];
      const error = await failureOf(broker.declare({ exchanges: [], queues, bindings: [] }));
      expect(isTopologyMismatchError(error)).toBe(true);
      expect(error).toMatchObject({
        mismatch: { subject: 'queue', name: place.queue, declared: '20', existing: '10' },
        message: expect.stringContaining(place.queue),
      });
      expect(await inFlight).toBe('confirmed');
      expect(await broker.inspect(place.queue)).toEqual({ messages: 1, consumers: 0 });
    });

    it('refuses an exchange of another type', async () => {
      const broker = await connect();
      const { exchange } = await declarePlace(broker);
      const exchanges = [{ name: exchange, type: 'topic' as const }];
      const error = await failureOf(broker.declare({ exchanges, queues: [], bindings: [] }));
      expect(error).toMatchObject({
        mismatch: {
          subject: 'exchange',
          name: exchange,
          argument: 'type',
          declared: 'topic',
          existing: 'direct',
        },
      });
    });

    it('counts waiting messages and consumers, and knows no queue that does not exist', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      expect(await broker.inspect(`${place.queue}.unknown`)).toBeUndefined();
      await broker.publish(messageTo(place, 'x'), publishOptions);
      await until('the message', async () => (await broker.inspect(place.queue))?.messages === 1);
      const { consumer } = await collect(broker, place.queue, { prefetch: 1 });
      await until('its delivery', async () => (await broker.inspect(place.queue))?.messages === 0);
      expect((await broker.inspect(place.queue))?.consumers).toBe(1);
      await consumer.cancel();
      expect((await broker.inspect(place.queue))?.consumers).toBe(0);
    });

    it('no longer counts a consumer whose connection died', async () => {
      const [dying, living] = [await connect(), await connect()];
      const place = await declarePlace(living);
      await collect(dying, place.queue);
      expect((await living.inspect(place.queue))?.consumers).toBe(1);
      await kill(dying);
      await until('no consumer', async () => (await living.inspect(place.queue))?.consumers === 0);
    });

    it('removes an exclusive queue with its connection, and keeps others out of it before', async () => {
      const [owner, other] = [await connect(), await connect()];
      const place = await declarePlace(owner, { durable: false, exclusive: true });
      expect(await other.publish(messageTo(place, 'x'), publishOptions)).toBe('confirmed');
      const refusal = await failureOf(other.inspect(place.queue));
      expect(hasCode(refusal, 'broker-unavailable')).toBe(true);
      await kill(owner);
      await until('the queue to go', async () => {
        const outcome = await other.publish(messageTo(place, 'x'), publishOptions);
        return outcome === 'unroutable';
      });
      expect(await other.inspect(place.queue)).toBeUndefined();
    });

    it('measures round trips, and names what differs in the check at start', async () => {
      const broker = await connect();
      expect(await broker.roundTripMs()).toBeGreaterThanOrEqual(0);
      const place = await declarePlace(broker, { maxMessages: 10 });
      const check = (maxMessages: number) =>
        checkBroker(broker, {
          topologies: [
            { exchanges: [], queues: [{ name: place.queue, durable: true, maxMessages }], bindings: [] },
          ],
          timeoutMs,
          logger: silentLogger,
        });
      expect(await check(10)).toMatchObject({ kind: 'ok', roundTripMs: expect.any(Number) });
      expect(isTopologyMismatchError(await failureOf(check(11)))).toBe(true);
    });

    it('fails as broker-unavailable on a closed connection, which has told its listeners', async () => {
      const broker = await connect();
      const place = await declarePlace(broker);
      const heard: string[] = [];
      const stop = broker.onStatus((status) => heard.push(status));
      const stopAtOnce = broker.onStatus(() => heard.push('never'));
      stopAtOnce();
      await broker.close();
      await broker.close();
      stop();
      expect(heard).toEqual(['closed']);
      for (const work of [
        broker.inspect(place.queue),
        broker.roundTripMs(),
        broker.declare({ exchanges: [], queues: [], bindings: [] }),
        broker.consume(place.queue, {}, () => undefined),
      ]) {
        expect(hasCode(await failureOf(work), 'broker-unavailable')).toBe(true);
      }
    });
  });
}
