/**
 * An answer that comes before the body of its request has ended. Closing the socket while the caller still sends makes
 * its kernel throw the answer away that it has not read yet: the caller would see a broken connection instead of the
 * reason. So our half is closed, and what still comes is read and dropped for a while.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A caller that has seen the answer stops by itself. */
const longestMs = 30_000;
const silenceMs = 5_000;

/** Call it before the head of the answer is written. Does nothing when the whole request has come. */
export function closeAfterAnswer(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete) return;
  response.setHeader('connection', 'close');
  const { socket } = request;
  const destroySoon = socket.destroySoon.bind(socket);
  // What node:http calls when the last answer of a connection has been written.
  socket.destroySoon = () => {
    if (request.complete) {
      destroySoon();
      return;
    }
    const timer = setTimeout(() => socket.destroy(), longestMs);
    socket.once('close', () => clearTimeout(timer));
    socket.setTimeout(silenceMs, () => socket.destroy());
    request.once('end', destroySoon);
    request.resume();
    socket.end();
  };
}
