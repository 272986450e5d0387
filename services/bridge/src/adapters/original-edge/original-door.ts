import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { withDeadline } from '@gantry/kernel';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { parseFrame, type RegisterFrame } from './original-frames.js';

/** Whole answers come in one message; base64 makes them a third larger than their bytes. */
const maxMessageBytes = 32 * 1024 * 1024;
const registerMs = 10_000;
/** What an edge says of itself. */
const maxRegisterBytes = 256 * 1024;

/** Where original edges come in: answers their upgrade and waits for who they are. What they send next waits. */
export class OriginalDoor {
  readonly #sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });

  /** @throws {Error} when it is no WebSocket, or does not register in time; the socket is closed then */
  async accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<{ socket: WebSocket; frame: RegisterFrame }> {
    const webSocket = await new Promise<WebSocket>((resolve, reject) => {
      socket.once('close', () => reject(new Error('the connection was closed in its handshake')));
      this.#sockets.handleUpgrade(request, socket, head, resolve);
    });
    webSocket.on('error', () => undefined);
    try {
      const frame = await withDeadline(firstRegister(webSocket), registerMs, 'the registration');
      return { socket: webSocket, frame };
    } catch (error) {
      webSocket.terminate();
      throw error;
    }
  }
}

function firstRegister(socket: WebSocket): Promise<RegisterFrame> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('the edge left before it registered'));
    socket.once('close', onClose);
    const onMessage = (data: RawData, isBinary: boolean): void => {
      const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data as ArrayBuffer);
      if (bytes.length > maxRegisterBytes) {
        reject(new Error(`the registration is larger than ${maxRegisterBytes} bytes`));
        return;
      }
      const frame = parseFrame(bytes, isBinary);
      if (frame?.type !== 'register') return;
      socket.off('message', onMessage).off('close', onClose);
      socket.pause();
      resolve(frame);
    };
    socket.on('message', onMessage);
  });
}
