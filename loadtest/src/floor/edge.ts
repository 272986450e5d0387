/** `node edge.js BROKER_URL`: HTTP to RabbitMQ and back under the platform's rules of delivery, and nothing else. */
import { randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bareQueueOf, bareRequests, bareResults, openBare, publish } from '../bare/wire.js';

const channel = await openBare(process.argv[2] ?? '', 'floor');
const requestQueue = bareQueueOf('floor');
const replyTo = randomUUID();
const { queue } = await channel.assertQueue('', { exclusive: true });
await channel.bindQueue(queue, bareResults, replyTo);

const waiting = new Map<string, ServerResponse>();
await channel.consume(
  queue,
  (message) => {
    if (message === null) return;
    const id = String(message.properties.correlationId);
    const response = waiting.get(id);
    waiting.delete(id);
    response?.writeHead(200, { 'content-length': message.content.length }).end(message.content);
  },
  { noAck: true },
);

let lastId = 0;
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    lastId += 1;
    const correlationId = String(lastId);
    waiting.set(correlationId, response);
    publish(channel, [bareRequests, requestQueue], Buffer.concat(chunks), { replyTo, correlationId });
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ kind: 'ready', port: (server.address() as AddressInfo).port });
});
process.on('disconnect', () => process.exit(0));
