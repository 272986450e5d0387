import { setTimeout as sleep } from 'node:timers/promises';
import { newId, newProcessId } from '@gantry/kernel';
import type { Broker, ConsumeOptions, Consumer, Delivery, OutgoingMessage, QueueSpec } from '../ports.js';

/** A broker under test, and how its connections die. */
export interface BrokerHarness {
  /** Another connection to the same broker. */
  connect(): Promise<Broker>;
  /** Ends the connection without a goodbye, for good. */
  kill(broker: Broker): Promise<void>;
  /** Closes every connection and the broker. */
  close(): Promise<void>;
}

/** What the suites use: connections that are closed after each test. */
export type Connections = Pick<BrokerHarness, 'connect' | 'kill'>;

export const timeoutMs = 5000;
export const publishOptions = { timeoutMs };

/** Polls until `condition` holds; fails after 10 s with what it waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAtMs) throw new Error(`waited in vain for ${what}`);
    await sleep(5);
  }
}

/** A queue of one test, bound to an exchange of its own. */
export interface Place {
  readonly exchange: string;
  readonly queue: string;
  readonly key: string;
}

export async function declarePlace(broker: Broker, spec: Partial<QueueSpec> = {}): Promise<Place> {
  const name = newProcessId('contract');
  const place = { exchange: `${name}.exchange`, queue: `${name}.queue`, key: 'key' };
  await broker.declare({
    exchanges: [{ name: place.exchange, type: 'direct' }],
    queues: [{ name: place.queue, durable: true, ...spec }],
    bindings: [{ queue: place.queue, exchange: place.exchange, routingKey: place.key }],
  });
  return place;
}

/** {@link declarePlace} with a second queue that takes its dead letters. */
export async function declareMortalPlace(
  broker: Broker,
  spec: Partial<QueueSpec> = {},
): Promise<Place & { grave: string }> {
  const grave = await declarePlace(broker);
  const bindings = [{ queue: grave.queue, exchange: grave.exchange, routingKey: 'buried' }];
  await broker.declare({ exchanges: [], queues: [], bindings });
  const place = await declarePlace(broker, {
    deadLetterExchange: grave.exchange,
    deadLetterRoutingKey: 'buried',
    ...spec,
  });
  return { ...place, grave: grave.queue };
}

export const messageTo = (
  place: Pick<Place, 'exchange' | 'key'>,
  content: string | Buffer,
  more: Partial<OutgoingMessage> = {},
): OutgoingMessage => ({
  exchange: place.exchange,
  routingKey: place.key,
  messageId: newId(),
  headers: {},
  content: Buffer.from(content),
  persistent: false,
  ...more,
});

export async function publishAll(broker: Broker, place: Place, contents: readonly string[]): Promise<void> {
  for (const content of contents) {
    const outcome = await broker.publish(messageTo(place, content), publishOptions);
    if (outcome !== 'confirmed') throw new Error(`the publish of ${content} ended as ${outcome}`);
  }
}

export interface Collector {
  readonly consumer: Consumer;
  readonly deliveries: Delivery[];
  texts(): string[];
}

/** Consumes and keeps everything, unacknowledged. */
export async function collect(
  broker: Broker,
  queue: string,
  options: ConsumeOptions = {},
): Promise<Collector> {
  const deliveries: Delivery[] = [];
  const consumer = await broker.consume(queue, options, (delivery) => deliveries.push(delivery));
  return {
    consumer,
    deliveries,
    texts: () => deliveries.map((delivery) => delivery.content.toString()),
  };
}

/** The next message of a queue, acknowledged. */
export async function takeOne(broker: Broker, queue: string): Promise<Delivery> {
  const { deliveries, consumer } = await collect(broker, queue, { prefetch: 1 });
  await until(`a message in ${queue}`, () => deliveries.length > 0);
  const [delivery] = deliveries;
  if (delivery === undefined) throw new Error('unreachable');
  delivery.ack();
  await consumer.cancel();
  return delivery;
}
