/** Echoes what comes on descriptor 3 through a thread. The thread answers by itself, as the platform's do. */
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const descriptor = 3;
if (isMainThread) {
  const thread = new Worker(fileURLToPath(import.meta.url));
  const socket = new Socket({ fd: descriptor, readable: true, writable: true });
  socket.on('data', (chunk: Buffer) => thread.postMessage(chunk.toString('latin1')));
  socket.on('close', () => process.exit(0));
} else {
  parentPort?.on('message', (text: string) => {
    writeSync(descriptor, Buffer.from(text, 'latin1'));
  });
}
