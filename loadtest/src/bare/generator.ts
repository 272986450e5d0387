/** `node generator.js BROKER_URL BYTES DELIVERY`: calls the bare workers; one reply queue for the life of the process. */
import { randomUUID } from 'node:crypto';
import { type Caller, serveOrders } from '../measure/load.js';
import { bareQueueOf, bareRequests, bareResults, type Delivery, openBare, publish } from './wire.js';

const maxConcurrency = 128;
const [brokerUrl = '', sizeBytes = '200', delivery] = process.argv.slice(2) as [string, string, Delivery];
const channel = await openBare(brokerUrl, delivery);
const requestQueue = bareQueueOf(delivery);
const replyTo = randomUUID();
const { queue } = await channel.assertQueue('', { exclusive: true });
await channel.bindQueue(queue, bareResults, replyTo);

const waiting = new Map<string, (size: number) => void>();
await channel.consume(
  queue,
  (message) => {
    if (message === null) return;
    const id = String(message.properties.correlationId);
    const resolve = waiting.get(id);
    waiting.delete(id);
    resolve?.(message.content.length);
  },
  { noAck: true },
);

const body = Buffer.alloc(Number(sizeBytes), 120);
let lastId = 0;
const caller: Caller = {
  call: () =>
    new Promise((resolve) => {
      lastId += 1;
      const correlationId = String(lastId);
      waiting.set(correlationId, (size) => resolve(size === body.length));
      publish(channel, [bareRequests, requestQueue], body, { replyTo, correlationId });
    }),
};
serveOrders(Array.from({ length: maxConcurrency }, () => caller));
