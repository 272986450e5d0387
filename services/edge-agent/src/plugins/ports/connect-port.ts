import { connect, type Socket } from 'node:net';
import { AppError, messageOf } from '@gantry/kernel';

const timeoutMs = 10_000;

/**
 * A connection to a port of this machine.
 * @throws {AppError} port-closed when nothing listens there, or does not answer within 10 s
 */
export function connectPort(port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const fail = (reason: string) => {
      socket.destroy();
      reject(new AppError('port-closed', `Port ${port} of the node does not answer: ${reason}`));
    };
    const onAbort = () => fail('the call was cancelled');
    const timer = setTimeout(() => fail(`nothing within ${timeoutMs / 1000} s`), timeoutMs);
    socket.once('close', () => clearTimeout(timer));
    const onError = (error: Error) => fail(messageOf(error));
    socket.once('error', onError);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.removeListener('error', onError);
      // Whoever splices it hears of errors by the end; without a listener one would be the agent's.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}
