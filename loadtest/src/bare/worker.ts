/** `node worker.js BROKER_URL`: answers each request with its own bytes. Prefetch 1, acknowledged after the answer. */
import { bareQueue, bareResults, openBare } from './wire.js';

const channel = await openBare(process.argv[2] ?? '');
await channel.prefetch(1);
await channel.consume(bareQueue, (message) => {
  if (message === null) return;
  const { replyTo, correlationId } = message.properties as { replyTo: string; correlationId: string };
  channel.publish(bareResults, replyTo, message.content, { correlationId });
  channel.ack(message);
});
process.on('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready' });
