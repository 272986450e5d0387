/**
 * `node worker.js BROKER_URL`: hands each request to a thread of a child process and publishes what comes back. The
 * child has no credentials, as the platform's executors have none; descriptor 3 is all they share. One request at a
 * time, so that whatever comes back belongs to it.
 */
import { spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { bareQueueOf, bareResults, openBare, publish } from '../bare/wire.js';

const child = spawn(process.execPath, [fileURLToPath(new URL('./executor.js', import.meta.url))], {
  stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
});
const pipe = child.stdio[3] as Duplex;
let onAnswer: (answer: Buffer) => void = () => undefined;
pipe.on('data', (chunk: Buffer) => onAnswer(chunk));

const channel = await openBare(process.argv[2] ?? '', 'floor');
await channel.prefetch(1);
await channel.consume(bareQueueOf('floor'), (message) => {
  if (message === null) return;
  const { replyTo, correlationId } = message.properties as { replyTo: string; correlationId: string };
  onAnswer = (answer) =>
    publish(channel, [bareResults, replyTo], answer, { correlationId }, () => channel.ack(message));
  pipe.write(message.content);
});
process.on('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready' });
