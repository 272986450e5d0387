import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError, newId, type Part } from '@gantry/kernel';
import { toProblemReply } from './problem-reply.js';

export interface ServerOptions {
  readonly name: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The setting that changes the port, for the message when it is taken. */
  readonly portSetting: string;
  /** Longest time for running requests when it stops. */
  readonly graceMs?: number;
  /** From the first byte of a request to the last of its body; 0: no limit. Default: 120,000. */
  readonly requestTimeoutMs?: number;
  /**
   * Takes upgrade requests; without it they are answered as if they were none. The sockets are its business, also when
   * the server stops: it waits for them within `graceMs` and cannot close them.
   */
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export interface HttpServer extends Part {
  /** `http://host:port`, once started. */
  readonly url: string;
  readonly port: number;
}

/** Room for a burst of connections; the kernel caps it at net.core.somaxconn. */
const backlog = 4096;
const maxHeaderBytes = 32 * 1024;

/**
 * An HTTP server as a part of a service. Stopping it refuses new connections, lets running requests end within
 * `graceMs`, and closes the rest.
 */
export function createHttpServer(options: ServerOptions, listener: RequestListener): HttpServer {
  const server = createServer({ maxHeaderSize: maxHeaderBytes, noDelay: true }, listener);
  server.headersTimeout = 15_000;
  server.requestTimeout = options.requestTimeoutMs ?? 120_000;
  server.keepAliveTimeout = 65_000;
  if (options.onUpgrade !== undefined) server.on('upgrade', options.onUpgrade);
  server.on('clientError', (error, socket) => answerClientError(error, socket as Socket));
  return {
    name: options.name,
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? options.port;
    },
    get url() {
      return `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${this.port}`;
    },
    start: () => listen(server, options),
    stop: () => closeWithin(server, options.graceMs ?? 2000),
  };
}

function listen(server: Server, options: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(toListenError(error, options)));
    server.listen({ host: options.host, port: options.port, backlog }, resolve);
  });
}

function toListenError(
  error: NodeJS.ErrnoException,
  { name, host, port, portSetting }: ServerOptions,
): Error {
  if (error.code === 'EADDRINUSE')
    return new Error(
      `${name}: port ${port} on ${host} is in use. Stop what listens there, or set ${portSetting} to another port (0 takes any free one).`,
    );
  if (error.code === 'EACCES')
    return new Error(
      `${name}: not allowed to listen on port ${port}. Set ${portSetting} to a port from 1024 up.`,
    );
  return new Error(`${name}: cannot listen on ${host} port ${port}: ${error.message}`, { cause: error });
}

async function closeWithin(server: Server, graceMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  // Connections that fall idle after their last answer.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await closed;
  clearTimeout(timer);
  clearInterval(sweep);
}

/** What the parser refuses never reaches express; it gets the same kind of answer. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const isHeader = error.code === 'HPE_HEADER_OVERFLOW';
  const problem = isHeader
    ? new AppError('header-too-large', `The headers are larger than ${maxHeaderBytes} bytes`)
    : new AppError('malformed-request', 'This is not a valid HTTP/1.1 request');
  const reply = toProblemReply(problem, { requestId: newId() });
  const reason = isHeader ? 'Request Header Fields Too Large' : 'Bad Request';
  socket.end(
    `HTTP/1.1 ${reply.status} ${reason}\r\ncontent-type: ${reply.contentType}\r\ncontent-length: ${reply.bytes?.length ?? 0}\r\nconnection: close\r\n\r\n${reply.bytes?.toString() ?? ''}`,
  );
}
