import { Buffer } from 'node:buffer';

/**
 * Memory shared by the executor's main thread and one function thread: the log of the running call and the request
 * to abort it. Shared memory, because it must be readable after the thread was killed in an endless loop, and
 * because a flood of output then costs neither messages nor memory.
 *
 * I1  The thread writes the log and its length; the main thread only reads, and resets between calls.
 * I2  The main thread writes the abort word and the limits of the call; the thread only reads them.
 * I3  The phase word decides who ends a call: the thread that answers it, or the main thread that stops it. Only one
 *     of them takes the call out of `running`, so a thread that answered is never killed for that call.
 */
const lengthWord = 0;
const truncatedWord = 1;
const abortWord = 2;
const phaseWord = 3;
const logLimitWord = 4;
const resultLimitWord = 5;
const words = 6;
const headerBytes = words * Int32Array.BYTES_PER_ELEMENT;

const truncationMarker = '\n[log truncated]\n';

/** ES2024, which Node 20 has and our type library does not. */
interface AtomicsWithWaitAsync {
  waitAsync(
    words: Int32Array,
    index: number,
    value: number,
  ): { async: false } | { async: true; value: Promise<string> };
}
// Taken while this file is loaded: in a function's thread the global object is shared with the function.
const { compareExchange, load, notify, store } = Atomics;
const { waitAsync } = Atomics as unknown as AtomicsWithWaitAsync;
const { max, min } = Math;
/** What a word holds; no limit is larger. */
const maxWord = 2 ** 31 - 1;

export type AbortReason = 'none' | 'cancelled' | 'timeout';
const abortReasons = ['none', 'cancelled', 'timeout'] as const;
const phases = { over: 0, running: 1, stopping: 2 } as const;

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
    return new SharedCall(new SharedArrayBuffer(headerBytes + max(0, logBytes)));
  }

  /** Whether nothing more is kept of this call's log. */
  get isFull(): boolean {
    return this.#words[truncatedWord] === 1;
  }

  /** Appends as much as fits; what does not fit is dropped for good. */
  append(text: string): void {
    if (this.isFull) return;
    const length = this.#words[lengthWord] ?? 0;
    // A UTF-16 unit takes at least one byte: cutting first keeps a huge string from being looked at whole.
    const end = min(this.#log.length, load(this.#words, logLimitWord));
    const room = max(0, end - length);
    const head = text.length > room ? text.slice(0, room) : text;
    const { read, written } = this.#encoder.encodeInto(head, this.#log.subarray(length, max(end, length)));
    store(this.#words, lengthWord, length + (written ?? 0));
    if ((read ?? 0) < text.length) store(this.#words, truncatedWord, 1);
  }

  /** The log so far, copied. */
  readLog(): Buffer {
    const length = load(this.#words, lengthWord);
    if (length === 0 && !this.isFull) return Buffer.alloc(0);
    const kept = Buffer.from(this.#log.subarray(0, length));
    return this.isFull ? Buffer.concat([kept, Buffer.from(truncationMarker)]) : kept;
  }

  /** Main thread: forgets the log and the abort of the call before; another one starts now, with limits of its own. */
  begin({ logBytes, resultBytes }: { logBytes: number; resultBytes: number }): void {
    store(this.#words, logLimitWord, min(logBytes, maxWord));
    store(this.#words, resultLimitWord, min(resultBytes, maxWord));
    store(this.#words, lengthWord, 0);
    store(this.#words, truncatedWord, 0);
    this.clearAbort();
    store(this.#words, phaseWord, phases.running);
  }

  /** Main thread: the call is over. */
  end(): void {
    this.clearAbort();
    store(this.#words, phaseWord, phases.over);
  }

  /** Function thread: bytes of JSON that the result of the running call may have. */
  get resultBytes(): number {
    return load(this.#words, resultLimitWord);
  }

  get isOver(): boolean {
    return load(this.#words, phaseWord) === phases.over;
  }

  /** Function thread: whether it may answer the call itself, which is over then (I3). */
  tryAnswer(): boolean {
    return this.#leaveRunning(phases.over);
  }

  /** Main thread: whether the call can still be stopped (I3). */
  tryStop(): boolean {
    return this.#leaveRunning(phases.stopping);
  }

  #leaveRunning(next: number): boolean {
    return compareExchange(this.#words, phaseWord, phases.running, next) === phases.running;
  }

  clearAbort(): void {
    store(this.#words, abortWord, 0);
  }

  requestAbort(reason: 'cancelled' | 'timeout'): void {
    store(this.#words, abortWord, abortReasons.indexOf(reason));
    notify(this.#words, abortWord);
  }

  /** Resolves once the main thread asks to abort, without blocking the thread. */
  async waitForAbort(): Promise<AbortReason> {
    const waiting = waitAsync(this.#words, abortWord, 0);
    if (waiting.async) await waiting.value;
    return abortReasons[load(this.#words, abortWord)] ?? 'none';
  }
}
