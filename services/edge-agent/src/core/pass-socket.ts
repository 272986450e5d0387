/** Connects the WebSocket of a caller with what a plugin answered, until either ends. */
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { type Duplex, pipeline, type Readable } from 'node:stream';
import { AppError } from '@gantry/kernel';
import { acceptWebSocket } from '@gantry/tunnel';
import type { AgentResponse } from './write-reply.js';

/**
 * Resolves when it is over.
 * @param signal ends it
 * @throws {AppError} method-not-allowed when the request did not come through a tunnel
 */
export async function passSocket(
  request: Readable,
  response: AgentResponse,
  socket: Duplex,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { stream } = response;
    if (stream === undefined)
      throw new AppError('method-not-allowed', 'WebSockets come through the bridge only');
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => stream.close(), { once: true });
      // Also for a handshake that is none, and a caller that leaves in the middle of it.
      stream.once('close', resolve);
      if (signal.aborted || stream.closed) resolve();
      // A request that has such a stream is one of HTTP/2.
      const tunnelled = request as unknown as Http2ServerRequest;
      acceptWebSocket(tunnelled, response as unknown as Http2ServerResponse, (bytes) => {
        pipeline(bytes, socket, () => bytes.destroy());
        pipeline(socket, bytes, () => socket.destroy());
      });
    });
  } finally {
    socket.destroy();
  }
}
