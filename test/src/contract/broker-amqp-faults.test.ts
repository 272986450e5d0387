/** What the RabbitMQ adapter promises when RabbitMQ is down, restarts, is killed, is out of memory or says nothing. */

import {
  type Broker,
  type BrokerStatus,
  buildSharedTopology,
  type Delivery,
  encodeResult,
  type OpenBrokerOptions,
  openBroker,
  type PublishOutcome,
  type ResultMessage,
  subscribeReplies,
} from '@gantry/broker';
import { delay, newId, newProcessId, silentLogger } from '@gantry/kernel';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../support/processes.js';
import { type RabbitMq, startRabbitMq } from '../support/rabbitmq.js';
import { createRecordingLogger } from '../support/recording-logger.js';

const startTimeoutMs = 120_000;
const testTimeoutMs = 120_000;
/** What a loaded machine may add to a deadline. */
const slackMs = 2000;

let rabbit: RabbitMq;
const opened: Broker[] = [];

beforeAll(async () => {
  rabbit = await startRabbitMq();
}, startTimeoutMs);
afterEach(async () => {
  await Promise.all(opened.splice(0).map((broker) => broker.close()));
});
afterAll(() => rabbit?.stop(), startTimeoutMs);

async function open(options: Partial<OpenBrokerOptions> = {}): Promise<Broker> {
  const broker = await openBroker({ url: rabbit.url, connectTimeoutMs: 2000, ...options });
  opened.push(broker);
  return broker;
}

const topologyOf = (name: string) => ({
  exchanges: [{ name, type: 'direct' as const }],
  queues: [{ name, durable: true }],
  bindings: [{ queue: name, exchange: name, routingKey: 'key' }],
});

const publish = (broker: Broker, exchange: string, timeoutMs: number, text = 'x') =>
  broker.publish(
    {
      exchange,
      routingKey: 'key',
      messageId: newId(),
      headers: {},
      content: Buffer.from(text),
      persistent: true,
    },
    { timeoutMs },
  );

const untilStatus = (broker: Broker, ...statuses: BrokerStatus[]) =>
  until(`status ${statuses.join(' or ')}`, () => statuses.includes(broker.status), 60_000);

/** Publishes numbered messages one after the other until told to stop; answers what became of each. */
function startPublishing(broker: Broker, name: string, timeoutMs: number) {
  const outcomes: PublishOutcome[] = [];
  let longestMs = 0;
  let isOver = false;
  const work = (async () => {
    while (!isOver) {
      const startedMs = performance.now();
      outcomes.push(await publish(broker, name, timeoutMs, String(outcomes.length)));
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      await delay(10);
    }
  })();
  return {
    outcomes,
    stop: async () => {
      isOver = true;
      await work;
      return { longestMs };
    },
  };
}

/** Acknowledges everything and remembers it. */
async function startConsuming(broker: Broker, name: string) {
  const seen = new Set<string>();
  await broker.consume(name, { prefetch: 10 }, (delivery: Delivery) => {
    seen.add(delivery.content.toString());
    setTimeout(() => delivery.ack(), 20);
  });
  return { seen };
}

describe('RabbitMQ that goes away and comes back', () => {
  it.each([
    ['restarts', () => rabbit.restart()],
    [
      'is killed',
      async () => {
        await rabbit.kill9();
        await rabbit.start();
      },
    ],
  ])(
    'when it %s, nothing confirmed is lost, no publish hangs, topology and consumers are back',
    async (_what, disturb) => {
      const [publisher, consumer] = [await open(), await open()];
      const name = newProcessId('faults');
      await publisher.declare(topologyOf(name));
      const consuming = await startConsuming(consumer, name);
      const publishing = startPublishing(publisher, name, 2000);
      await until('some confirms', () => publishing.outcomes.length > 30);
      await disturb();
      const before = publishing.outcomes.length;
      await until(
        'confirms after it',
        () => publishing.outcomes.slice(before).filter((outcome) => outcome === 'confirmed').length > 30,
        60_000,
      );
      const { longestMs } = await publishing.stop();
      expect(longestMs).toBeLessThan(2000 + slackMs);
      expect(publishing.outcomes).toContain('unavailable');
      expect(publishing.outcomes).not.toContain('unroutable');
      const confirmed = publishing.outcomes.flatMap((outcome, index) =>
        outcome === 'confirmed' ? [String(index)] : [],
      );
      await until('every confirmed message', () => confirmed.every((text) => consuming.seen.has(text)));
      await until('an empty queue', async () => (await publisher.inspect(name))?.messages === 0);
      expect((await publisher.inspect(name))?.consumers).toBe(1);
    },
    testTimeoutMs,
  );

  it(
    'delivers again what was held, and ignores what is said about the lost delivery',
    async () => {
      const broker = await open();
      const name = newProcessId('faults');
      await broker.declare(topologyOf(name));
      const deliveries: Delivery[] = [];
      await broker.consume(name, { prefetch: 1 }, (delivery) => deliveries.push(delivery));
      await publish(broker, name, 2000);
      await until('the delivery', () => deliveries.length === 1);
      await rabbit.ctl('close_all_connections', 'a test');
      await until('it again', () => deliveries.length === 2);
      deliveries[0]?.ack();
      deliveries[0]?.nack({ requeue: false });
      expect(deliveries[1]?.redelivered).toBe(true);
      deliveries[1]?.ack();
      await until('an empty queue', async () => (await broker.inspect(name))?.messages === 0);
    },
    testTimeoutMs,
  );

  it(
    'gives a frontend its reply queue back',
    async () => {
      const broker = await open();
      const frontendId = newProcessId('f');
      await broker.declare(buildSharedTopology());
      const results: ResultMessage[] = [];
      const onMessage = (message: ResultMessage) => void results.push(message);
      const replies = await subscribeReplies({ broker, frontendId, logger: silentLogger, onMessage });
      const executionId = `${frontendId}.${newId()}`;
      const heard: BrokerStatus[] = [];
      broker.onStatus((status) => heard.push(status));
      await rabbit.ctl('close_all_connections', 'a test');
      await until('the connection to be back', () => heard.join() === 'connecting,connected');
      const finished = encodeResult({
        kind: 'finished',
        executionId,
        attempt: 1,
        runtimeId: 'r',
        status: 'succeeded',
        result: Buffer.from('{}'),
        log: Buffer.alloc(0),
      });
      expect(await broker.publish(finished, { timeoutMs: 2000 })).toBe('confirmed');
      await until('the result', () => results.length === 1);
      expect(results).toMatchObject([{ kind: 'finished', executionId }]);
      await replies.cancel();
    },
    testTimeoutMs,
  );

  it(
    'may be down at the start: what was declared and consumed begins when it comes',
    async () => {
      await rabbit.kill9();
      const logger = createRecordingLogger();
      const broker = await open({ logger });
      expect(broker.status).toBe('connecting');
      const name = newProcessId('faults');
      await broker.declare(topologyOf(name), { timeoutMs: 100 });
      const consuming = await startConsuming(broker, name);
      expect(await publish(broker, name, 500)).toBe('unavailable');
      await expect(broker.roundTripMs()).rejects.toMatchObject({ code: 'broker-unavailable' });
      await rabbit.start();
      await untilStatus(broker, 'connected');
      expect(await publish(broker, name, 2000, 'late')).toBe('confirmed');
      await until('the delivery', () => consuming.seen.has('late'));
      expect(logger.text()).not.toContain(new URL(rabbit.url).password);
    },
    testTimeoutMs,
  );

  it(
    'can be left while it is down',
    async () => {
      const broker = await open();
      await rabbit.kill9();
      await untilStatus(broker, 'connecting');
      await broker.close();
      expect(broker.status).toBe('closed');
      await rabbit.start();
    },
    testTimeoutMs,
  );
});

describe('RabbitMQ that does not take messages', () => {
  it(
    'out of memory: a publish ends by its deadline, later ones at once, and all is well afterwards',
    async () => {
      const broker = await open();
      const name = newProcessId('faults');
      await broker.declare(topologyOf(name));
      expect(await publish(broker, name, 2000)).toBe('confirmed');
      await rabbit.ctl('set_vm_memory_high_watermark', '0.00000001');
      try {
        const startedMs = performance.now();
        expect(await publish(broker, name, 1000)).toBe('unavailable');
        expect(performance.now() - startedMs).toBeLessThan(1000 + slackMs);
        await untilStatus(broker, 'blocked');
        const againMs = performance.now();
        expect(await publish(broker, name, 60_000)).toBe('unavailable');
        expect(performance.now() - againMs).toBeLessThan(slackMs);
      } finally {
        await rabbit.ctl('set_vm_memory_high_watermark', 'absolute', '1GB');
      }
      await untilStatus(broker, 'connected');
      expect(await publish(broker, name, 5000)).toBe('confirmed');
    },
    testTimeoutMs,
  );

  it(
    'out of memory: the connection can be closed',
    async () => {
      const broker = await open();
      const name = newProcessId('faults');
      await broker.declare(topologyOf(name));
      await rabbit.ctl('set_vm_memory_high_watermark', '0.00000001');
      try {
        const left = publish(broker, name, 30_000);
        await untilStatus(broker, 'blocked');
        await broker.close();
        expect(await left).toBe('unavailable');
      } finally {
        await rabbit.ctl('set_vm_memory_high_watermark', 'absolute', '1GB');
      }
    },
    testTimeoutMs,
  );

  it(
    'suspended: a publish ends by its deadline, the heartbeat finds out, and the connection comes back',
    async () => {
      const broker = await open({ heartbeatSeconds: 1 });
      const name = newProcessId('faults');
      await broker.declare(topologyOf(name));
      rabbit.suspend();
      try {
        const startedMs = performance.now();
        const question = broker.inspect(name).then(
          () => 'answered',
          (error: { code: string }) => error.code,
        );
        expect(await publish(broker, name, 500)).toBe('unavailable');
        expect(performance.now() - startedMs).toBeLessThan(500 + slackMs);
        await untilStatus(broker, 'connecting');
        expect(performance.now() - startedMs).toBeLessThan(3000 + slackMs);
        expect(await publish(broker, name, 60_000)).toBe('unavailable');
        expect(await question).toBe('broker-unavailable');
      } finally {
        rabbit.resume();
      }
      await untilStatus(broker, 'connected');
      expect(await publish(broker, name, 5000)).toBe('confirmed');
    },
    testTimeoutMs,
  );

  it(
    'suspended: the connection can be closed, and a new one does not hang',
    async () => {
      const broker = await open();
      rabbit.suspend();
      try {
        const startedMs = performance.now();
        await broker.close();
        const late = await open({ connectTimeoutMs: 500 });
        expect(late.status).toBe('connecting');
        await late.close();
        expect(performance.now() - startedMs).toBeLessThan(5000 + slackMs);
      } finally {
        rabbit.resume();
      }
    },
    testTimeoutMs,
  );
});
