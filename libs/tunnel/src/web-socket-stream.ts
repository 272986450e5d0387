/**
 * The bytes of one WebSocket as a Duplex, for node:http2 to work on.
 *
 * I1. A written chunk is acknowledged when the socket has taken it, so a slow peer slows the writer.
 * I2. While the reader is full the WebSocket is paused, so a slow reader slows the peer.
 * I3. Frames that wait together leave in one message of at most {@link largestMessageBytes}: http2 writes the 9 bytes
 *     of each frame head by themselves, and a message of their own would cost more than their payload.
 * I4. Text is not ours: it ends the connection.
 * I5. However the WebSocket ends, the Duplex closes; an end without a closing handshake is an error.
 */
import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { largestMessageBytes } from './limits.js';

type Done = (error?: Error | null) => void;

/** How long a closing handshake may take before the socket is torn down. */
const closeTimeoutMs = 2_000;

export class WebSocketStream extends Duplex {
  readonly #socket: WebSocket;
  /** Bytes that ever came in; the heartbeat takes them as a sign of life. */
  receivedBytes = 0;
  /** Sent with the closing frame. */
  closeReason = '';
  #closeTimer: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket) {
    super({ allowHalfOpen: false, highWaterMark: largestMessageBytes, decodeStrings: true });
    this.#socket = socket;
    socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', (code, reason) => this.#onClose(code, String(reason)));
  }

  /** Bytes that the socket has not yet taken. */
  get pendingBytes(): number {
    return this.#socket.bufferedAmount;
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    const messages = toMessages(chunks.map(({ chunk }) => chunk));
    const last = messages.pop();
    if (last === undefined) {
      done();
      return;
    }
    for (const message of messages) this.#socket.send(message, { binary: true });
    // I1: the socket takes them in order, so the last one speaks for all.
    this.#send(last, done);
  }

  override _final(done: Done): void {
    this.#close(1000, this.closeReason);
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    if (error === null) this.#close(1000, this.closeReason);
    else this.#close(1011, 'the tunnel failed');
    done(error);
  }

  #send(message: Buffer, done: Done): void {
    if (this.#socket.readyState === this.#socket.OPEN)
      this.#socket.send(message, { binary: true }, (error) => done(error));
    else done(new Error('the WebSocket is closed'));
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    // Nobody reads it any more, and a pause would keep the closing frame behind it from being seen.
    if (this.destroyed) return;
    if (!isBinary) {
      this.#close(1003, 'binary messages only'); // I4
      this.destroy(new Error('the other side sent a text message'));
      return;
    }
    const bytes = data as Buffer;
    this.receivedBytes += bytes.length;
    if (bytes.length > 0 && !this.push(bytes)) this.#socket.pause(); // I2
  }

  #onClose(code: number, reason: string): void {
    clearTimeout(this.#closeTimer);
    if (code === 1000 || code === 1001) {
      this.closeReason = reason;
      this.push(null);
      this.destroy();
      return;
    }
    const text = code === 1006 ? 'the connection broke' : `the WebSocket was closed with ${code} ${reason}`;
    this.destroy(new Error(text.trim())); // I5
  }

  #close(code: number, reason: string): void {
    if (this.#socket.readyState === this.#socket.CLOSED || this.#closeTimer !== undefined) return;
    // A paused WebSocket would never see the other side's closing frame.
    this.#socket.resume();
    // A closing frame takes 123 bytes of reason (RFC 6455, 5.5).
    this.#socket.close(code, reason.replace(/[^\x20-\x7e]/g, '?').slice(0, 100));
    this.#closeTimer = setTimeout(() => this.#socket.terminate(), closeTimeoutMs);
    this.#closeTimer.unref();
  }
}

/** Joins small chunks and cuts large ones. */
export function toMessages(chunks: readonly Buffer[], maxBytes = largestMessageBytes): Buffer[] {
  const messages: Buffer[] = [];
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  const flush = () => {
    const [only] = pending;
    if (only !== undefined) messages.push(pending.length === 1 ? only : Buffer.concat(pending, pendingBytes));
    pending = [];
    pendingBytes = 0;
  };
  for (const chunk of chunks)
    for (let start = 0; start < chunk.length; start += maxBytes) {
      const piece = chunk.length <= maxBytes ? chunk : chunk.subarray(start, start + maxBytes);
      if (pendingBytes + piece.length > maxBytes) flush();
      pending.push(piece);
      pendingBytes += piece.length;
    }
  flush();
  return messages;
}
