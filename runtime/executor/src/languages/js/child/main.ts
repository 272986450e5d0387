import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type ExecutorLimits, frameDescriptor } from '../../../sandbox/protocol.js';
import { dieAtOnce } from './die-at-once.js';
import { Executor } from './executor.js';

/** The program of an executor process for JavaScript. Frames on descriptor 3; its standard streams are diagnostics. */
const socket = new Socket({ fd: frameDescriptor, readable: true, writable: true });

// The supervisor is gone, however it went: nothing of this process may stay.
socket.on('end', dieAtOnce);
socket.on('close', dieAtOnce);
socket.on('error', dieAtOnce);
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.stack ?? error.message}\n`, dieAtOnce);
});

const limits = JSON.parse(process.argv[2] ?? '{}') as ExecutorLimits;
await new Executor(socket, limits, fileURLToPath(new URL('../thread-entry.cjs', import.meta.url))).start();
