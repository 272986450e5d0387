/** `node generator.js URL METHOD SIZE`: calls over kept HTTP connections and counts the bytes that come back. */
import { connect, type Socket } from 'node:net';
import { type Caller, serveOrders } from '../measure/load.js';
import { type Size, sizes } from './origin.js';

const maxConcurrency = 64;
const [url = '', method = 'GET', size = 'small'] = process.argv.slice(2) as [string, string, Size];
const { hostname, port } = new URL(url);
const body = method === 'POST' ? Buffer.alloc(sizes[size], 'x') : Buffer.alloc(0);
const lines = [
  `${method} /${size} HTTP/1.1`,
  'host: node',
  ...(method === 'POST' ? [`content-length: ${body.length}`] : []),
];
const request = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]);
const expectedBytes = method === 'POST' ? String(sizes[size]).length : sizes[size];

/** Knows just enough of HTTP: its cost is taken from the cores of what it measures. */
class RawCaller implements Caller {
  #socket: Socket | undefined;
  #missingBytes = -1;
  #head = '';
  #settle: (isRight: boolean) => void = () => undefined;

  call(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#missingBytes = -1;
      this.#head = '';
      if (this.#socket === undefined || this.#socket.destroyed) this.#socket = this.#open();
      this.#socket.write(request);
    });
  }

  #open(): Socket {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#settle(false));
    return socket;
  }

  #receive(chunk: Buffer): void {
    if (this.#missingBytes < 0) {
      const at = chunk.indexOf('\r\n\r\n');
      this.#head += chunk.toString('latin1', 0, at < 0 ? chunk.length : at);
      if (at < 0) return;
      const isRight =
        this.#head.startsWith('HTTP/1.1 200') && this.#head.includes(`content-length: ${expectedBytes}`);
      if (!isRight) {
        this.#socket?.destroy();
        return;
      }
      this.#missingBytes = expectedBytes - (chunk.length - at - 4);
    } else this.#missingBytes -= chunk.length;
    if (this.#missingBytes === 0) this.#settle(true);
  }
}

serveOrders(Array.from({ length: maxConcurrency }, () => new RawCaller()));
