/** `node worker.js BROKER_URL DELIVERY`: answers each request with its own bytes. Prefetch 1, acknowledged after the answer. */
import { bareQueueOf, bareResults, type Delivery, openBare, publish } from './wire.js';

const [brokerUrl = '', delivery] = process.argv.slice(2) as [string, Delivery];
const channel = await openBare(brokerUrl, delivery);
await channel.prefetch(1);
await channel.consume(bareQueueOf(delivery), (message) => {
  if (message === null) return;
  const { replyTo, correlationId } = message.properties as { replyTo: string; correlationId: string };
  publish(channel, [bareResults, replyTo], message.content, { correlationId }, () => channel.ack(message));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready' });
