/**
 * The body of an answer. It differs from the http2 stream below it in what a reader must be able to trust:
 *
 * I1. It ends only when the whole answer came; whatever breaks it off is an error (http2 reports a reset with CANCEL or
 *     NO_ERROR as a plain end).
 * I2. Destroying it cancels the stream, so that the node stops.
 * I3. What it buffers is bounded; the rest waits in the window of the stream, on the node's side.
 */
import type { ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { AppError } from '@gantry/kernel';
import { toNodeError } from './node-error.js';
import { cancelStream } from './stream-events.js';

export interface AnswerBodyOptions {
  readonly name: string;
  readonly session: { readonly destroyed: boolean };
  /** From `content-length`, if the answer must have that many bytes. */
  readonly expectedBytes: number | undefined;
  /** Called once, when the body has ended or failed. */
  readonly onDone: () => void;
}

export class AnswerBody extends Readable {
  readonly #stream: ClientHttp2Stream;
  readonly #options: AnswerBodyOptions;
  #receivedBytes = 0;
  #failure: Error | undefined;
  #isDone = false;

  constructor(stream: ClientHttp2Stream, options: AnswerBodyOptions) {
    super({ highWaterMark: 64 * 1024 });
    this.#stream = stream;
    this.#options = options;
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('end', () => this.#onEnd());
    stream.on('error', (error) => {
      this.#failure = error;
    });
    stream.on('close', () => this.#onClose());
    stream.pause();
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#isDone) cancelStream(this.#stream); // I2
    this.#finish();
    done(error);
  }

  #onData(chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    if (!this.push(chunk)) this.#stream.pause(); // I3
  }

  #onEnd(): void {
    const { name, expectedBytes } = this.#options;
    // I1: an end that comes from a reset is judged when the stream closes.
    if (this.#stream.closed && this.#stream.rstCode !== 0) return;
    if (expectedBytes !== undefined && this.#receivedBytes !== expectedBytes) {
      const detail = `${name} announced ${expectedBytes} bytes and sent ${this.#receivedBytes}`;
      this.destroy(new AppError('node-failed', detail));
      return;
    }
    this.#finish();
    this.push(null);
  }

  #onClose(): void {
    if (this.#isDone) return;
    const { name, session } = this.#options;
    const { rstCode } = this.#stream;
    this.destroy(toNodeError({ name, session, rstCode, isAnswered: true, cause: this.#failure }));
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#options.onDone();
  }
}
