/**
 * One kept HTTP/1.1 connection that sends the same request again and again. It knows just enough of HTTP to find the
 * end of an answer, because the cost of the load generator is taken from the same cores as what it measures.
 */
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly body: Buffer;
}

const headEnd = Buffer.from('\r\n\r\n');

export class HttpConnection {
  readonly #url: URL;
  readonly #request: Buffer;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve: (answer: RawAnswer) => void; reject: (error: Error) => void } | undefined;

  /** `request` is the whole of it, head and body. Opens at the first request. */
  constructor(url: URL, request: Buffer) {
    this.#url = url;
    this.#request = request;
  }

  /** Sends the request; one at a time. Opens again when the server closed the connection while it was idle. */
  send(): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (this.#socket === undefined || this.#socket.destroyed) this.#socket = this.#open();
      this.#socket.write(this.#request);
    });
  }

  #open(): Socket {
    this.#received = Buffer.alloc(0);
    const socket = connect({ host: this.#url.hostname, port: Number(this.#url.port), noDelay: true });
    // Of a socket that was replaced nobody waits for anything.
    const fail = (error: Error) => {
      if (this.#socket === socket) this.#waiting?.reject(error);
    };
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('The server closed the connection')));
    return socket;
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headLength = this.#received.indexOf(headEnd);
    if (headLength < 0) return;
    const head = this.#received.toString('latin1', 0, headLength);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN);
    if (Number.isNaN(length)) {
      this.#waiting?.reject(new Error(`An answer without a length: ${head.slice(0, 200)}`));
      return;
    }
    const endsAt = headLength + headEnd.length + length;
    if (this.#received.length < endsAt) return;
    const body = this.#received.subarray(headLength + headEnd.length, endsAt);
    const waiting = this.#waiting;
    this.#received = Buffer.alloc(0);
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}
