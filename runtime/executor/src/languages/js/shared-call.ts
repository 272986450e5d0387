/**
 * Memory shared by the executor's main thread and one function thread: the log of the running call and the request
 * to abort it. Shared memory, because it must be readable after the thread was killed in an endless loop, and
 * because a flood of output then costs neither messages nor memory.
 *
 * I1  The thread writes the log and its length; the main thread only reads, and resets between calls.
 * I2  The main thread writes the abort word; the thread only waits for it.
 */
const lengthWord = 0;
const truncatedWord = 1;
const abortWord = 2;
const words = 3;
const headerBytes = words * Int32Array.BYTES_PER_ELEMENT;

export const truncationMarker = '\n[log truncated]\n';

export type AbortReason = 'none' | 'cancelled' | 'timeout';
const abortReasons = ['none', 'cancelled', 'timeout'] as const;

export class SharedCall {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #log: Uint8Array;
  readonly #encoder = new TextEncoder();

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, words);
    this.#log = new Uint8Array(memory, headerBytes);
  }

  static ofLogBytes(logBytes: number): SharedCall {
    return new SharedCall(new SharedArrayBuffer(headerBytes + Math.max(0, logBytes)));
  }

  /** Whether nothing more is kept of this call's log. */
  get isFull(): boolean {
    return this.#words[truncatedWord] === 1;
  }

  /** Appends as much as fits; what does not fit is dropped for good. */
  append(text: string): void {
    if (this.isFull) return;
    const length = this.#words[lengthWord] ?? 0;
    // A UTF-8 byte takes at least one UTF-16 unit's third: cutting first keeps a huge string from being encoded whole.
    const room = this.#log.length - length;
    const head = text.length > room ? text.slice(0, room) : text;
    const { read, written } = this.#encoder.encodeInto(head, this.#log.subarray(length));
    Atomics.store(this.#words, lengthWord, length + (written ?? 0));
    if ((read ?? 0) < text.length) Atomics.store(this.#words, truncatedWord, 1);
  }

  /** The log so far, copied. */
  readLog(): Buffer {
    const length = Atomics.load(this.#words, lengthWord);
    if (length === 0 && !this.isFull) return Buffer.alloc(0);
    const kept = Buffer.from(this.#log.subarray(0, length));
    return this.isFull ? Buffer.concat([kept, Buffer.from(truncationMarker)]) : kept;
  }

  reset(): void {
    Atomics.store(this.#words, lengthWord, 0);
    Atomics.store(this.#words, truncatedWord, 0);
    Atomics.store(this.#words, abortWord, 0);
  }

  requestAbort(reason: 'cancelled' | 'timeout'): void {
    Atomics.store(this.#words, abortWord, abortReasons.indexOf(reason));
    Atomics.notify(this.#words, abortWord);
  }

  /** Resolves once the main thread asks to abort, without blocking the thread. */
  async waitForAbort(): Promise<AbortReason> {
    const waiting = Atomics.waitAsync(this.#words, abortWord, 0);
    if (waiting.async) await waiting.value;
    return abortReasons[Atomics.load(this.#words, abortWord)] ?? 'none';
  }
}
