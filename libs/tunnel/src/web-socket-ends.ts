/**
 * Both ends of a WebSocket that passes through a bridge, as streams of bytes: messages are pieces, their limits mean
 * nothing. Text is refused.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { type ProblemCode, problems } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import { WebSocket, WebSocketServer } from 'ws';
import { serveOriginUpgrade } from './serve-origin.js';
import { WebSocketStream } from './web-socket-stream.js';

const maxMessageBytes = 4 * 1024 * 1024;
const options = { maxPayload: maxMessageBytes, perMessageDeflate: false } as const;
const defaultTimeoutMs = 30_000;

/** Speaks HTTP to what {@link acceptWebSocket} hands it; never listens. */
const handshakes = createServer();
const sockets = new WebSocketServer({ ...options, noServer: true });
const waiting = new WeakMap<Duplex, (bytes: Duplex) => void>();
handshakes.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
  sockets.handleUpgrade(request, socket, head, (webSocket) =>
    waiting.get(socket)?.(new WebSocketStream(webSocket)),
  );
});

/**
 * The agent's end: answers an extended CONNECT, and hands over what comes.
 * @param onOpen called when the handshake is done; not at all for one that is none, which is answered 400
 */
export function acceptWebSocket(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  onOpen: (bytes: Duplex) => void,
): void {
  const [near, far] = duplexPair();
  waiting.set(far, onOpen);
  handshakes.emit('connection', far);
  serveOriginUpgrade(request, response, {
    host: 'plugin',
    port: 80,
    createConnection: () => near,
  });
}

/**
 * A client's end.
 * @param url `ws:` or `wss:`; certificates are verified
 * @throws {AppError} the problem that was answered instead, or node-unreachable with the reason
 */
export function openWebSocket(
  url: string,
  { headers, timeoutMs = defaultTimeoutMs }: { headers: Record<string, string>; timeoutMs?: number },
): Promise<Duplex> {
  const webSocket = new WebSocket(url, { ...options, headers, handshakeTimeout: timeoutMs });
  return new Promise((resolve, reject) => {
    webSocket.once('open', () => {
      webSocket.removeListener('error', onError);
      resolve(new WebSocketStream(webSocket));
    });
    const onError = (cause: Error) =>
      reject(
        new AppError('node-unreachable', `${new URL(url).host} does not connect: ${cause.message}`, {
          cause,
        }),
      );
    webSocket.once('error', onError);
    webSocket.once('unexpected-response', (_request, answer) => {
      void readStart(answer).then((text) => {
        reject(
          problemIn(text) ?? new AppError('node-unreachable', `answered with ${answer.statusCode ?? 0}`),
        );
        webSocket.terminate();
      });
    });
  });
}

const maxDetailBytes = 16 * 1024;

async function readStart(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const piece of answer) {
      pieces.push(piece as Buffer);
      sizeBytes += (piece as Buffer).length;
      if (sizeBytes > maxDetailBytes) break;
    }
  } catch {
    // What came is enough to say why, or it is not.
  }
  return Buffer.concat(pieces).toString('utf8');
}

function problemIn(text: string): AppError | undefined {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    return typeof code === 'string' && Object.hasOwn(problems, code) && typeof detail === 'string'
      ? new AppError(code as ProblemCode, detail)
      : undefined;
  } catch {
    return undefined;
  }
}
