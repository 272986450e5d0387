import type { Socket } from 'node:net';
import { encodeFrame, type Frame, type FrameKind, FrameReader, frameKinds } from '../../../sandbox/frames.js';
import type {
  CallMeta,
  DoneMeta,
  ExecutorLimits,
  PhaseMeta,
  ProgressMeta,
  RunMeta,
} from '../../../sandbox/protocol.js';
import { FunctionThread } from './function-thread.js';
import type { ThreadOutcome } from './thread-call.js';

/**
 * The main thread of an executor process: takes calls from the supervisor and gives each to the thread of its
 * function. User code never runs here, so this thread always has time to notice an abort or the supervisor's end.
 *
 * I1  One call at a time.
 * I2  At most `warmFunctions` functions are kept; the least recently used goes first.
 * I3  One spare thread is always booted, so that a new function does not wait for one.
 * I4  A thread sends small answers to the supervisor itself and this thread is not told, which saves two wake-ups a
 *     call. So `#pending` may be over already; the next call takes its place.
 * I5  The thread of a fresh call has run nothing before and runs nothing after it.
 */
/** Room for a result in base64, its log and the parameters of a call. */
const maxFrameBytes = 256 * 1024 * 1024;

const failure = { kind: 'failure', log: Buffer.alloc(0), isReplaced: false } as const;

interface Pending {
  readonly meta: RunMeta;
  readonly parameters: Buffer;
}

export class Executor {
  readonly #socket: Socket;
  readonly #limits: ExecutorLimits;
  readonly #entryFile: string;
  /** Least recently used first. */
  readonly #threads = new Map<string, FunctionThread>();
  readonly #codes = new Map<string, Buffer>();
  #codeBytes = 0;
  #spare: FunctionThread | undefined;
  #pending: Pending | undefined;
  #running: FunctionThread | undefined;
  #isCancelled: boolean = false;

  constructor(socket: Socket, limits: ExecutorLimits, entryFile: string) {
    this.#socket = socket;
    this.#limits = limits;
    this.#entryFile = entryFile;
    const reader = new FrameReader(maxFrameBytes, (frame) => this.#onFrame(frame));
    socket.on('data', (chunk: Buffer) => reader.push(chunk));
  }

  /** Says that it is ready once its spare thread is: the first call then waits for nothing. */
  async start(): Promise<void> {
    this.#spare = this.#newThread();
    await this.#spare.booted();
    this.#send(frameKinds.ready, { pid: process.pid });
  }

  #newThread(): FunctionThread {
    return new FunctionThread(this.#entryFile, this.#limits, (text) => process.stderr.write(`${text}\n`));
  }

  #onFrame(frame: Frame): void {
    if (frame.kind === frameKinds.run) this.#onRun(frame.meta as RunMeta, frame.payload);
    else if (frame.kind === frameKinds.code) this.#onCode(frame.meta as CallMeta, frame.payload);
    else if (frame.kind === frameKinds.abort) this.#onAbort(frame.meta as CallMeta);
  }

  #onRun(meta: RunMeta, parameters: Buffer): void {
    this.#isCancelled = false;
    this.#running = undefined; // I4
    const pending = { meta, parameters };
    this.#pending = pending;
    const code = this.#codes.get(meta.functionSha256);
    if (code === undefined) this.#send(frameKinds.needCode, { call: meta.call });
    else this.#run(pending, code);
  }

  #onCode(meta: CallMeta, bytes: Buffer): void {
    const pending = this.#pending;
    if (pending === undefined || pending.meta.call !== meta.call) return;
    const code = Buffer.from(bytes);
    this.#keepCode(pending.meta.functionSha256, code);
    this.#run(pending, code);
  }

  #onAbort(meta: CallMeta): void {
    const pending = this.#pending;
    if (pending?.meta.call !== meta.call) return;
    this.#isCancelled = true;
    if (this.#running !== undefined) this.#running.cancel();
    else this.#finish(pending, { ...failure, code: 'cancelled', text: 'stopped on request' }, 0);
  }

  #run(pending: Pending, code: Buffer): void {
    if (this.#isCancelled) return;
    const { meta, parameters } = pending;
    const thread = meta.fresh ? this.#freshThread() : this.#threadFor(meta.functionSha256);
    this.#running = thread;
    const startedMs = performance.now();
    thread.run({
      call: meta.call,
      executionId: meta.executionId,
      parameters,
      code,
      runMs: meta.runMs,
      resultBytes: meta.resultBytes,
      logBytes: meta.logBytes,
      isOnly: meta.fresh,
      onProgress: (perMille) =>
        this.#sendMeta<ProgressMeta>(frameKinds.progress, { call: meta.call, perMille }),
      onPhase: (phase) => this.#sendMeta<PhaseMeta>(frameKinds.phase, { call: meta.call, phase }),
      onOutcome: (outcome) => {
        this.#finish(pending, outcome, performance.now() - startedMs);
        if (meta.fresh) void thread.destroy(); // I5
      },
    });
  }

  #finish(pending: Pending, outcome: ThreadOutcome, runMs: number): void {
    if (this.#pending !== pending) return;
    this.#pending = undefined;
    this.#running = undefined;
    const call = pending.meta.call;
    if (outcome.kind === 'failure') {
      const { code, text, log, isReplaced } = outcome;
      const done: DoneMeta = { call, code, text, isReplaced, runMs, answerBytes: 0 };
      this.#send(frameKinds.done, done, log);
      return;
    }
    const { answer, log } = outcome;
    const done: DoneMeta = { call, runMs, answerBytes: answer.byteLength };
    this.#send(frameKinds.done, done, log.length === 0 ? answer : Buffer.concat([answer, log]));
  }

  #threadFor(sha256: string): FunctionThread {
    const known = this.#threads.get(sha256);
    if (known !== undefined) {
      this.#threads.delete(sha256);
      this.#threads.set(sha256, known);
      return known;
    }
    const thread = this.#freshThread();
    this.#threads.set(sha256, thread);
    return thread;
  }

  #freshThread(): FunctionThread {
    const thread = this.#spare ?? this.#newThread();
    this.#spare = undefined;
    // After this call had its start: booting a thread takes a core for some milliseconds.
    setTimeout(() => {
      this.#spare ??= this.#newThread(); // I3
      this.#spare.booted().catch(() => undefined); // Whoever takes it tries again.
      this.#dropColdest();
    }, 5);
    return thread;
  }

  #dropColdest(): void {
    for (const [sha256, thread] of this.#threads) {
      if (this.#threads.size <= this.#limits.warmFunctions) return; // I2
      if (thread === this.#running) continue;
      this.#threads.delete(sha256);
      void thread.destroy();
    }
  }

  #keepCode(sha256: string, code: Buffer): void {
    this.#codes.set(sha256, code);
    this.#codeBytes += code.length;
    for (const [oldest, bytes] of this.#codes) {
      if (this.#codeBytes <= this.#limits.codeBytes || oldest === sha256) return;
      this.#codes.delete(oldest);
      this.#codeBytes -= bytes.length;
    }
  }

  #sendMeta<T extends CallMeta>(kind: FrameKind, meta: T): void {
    this.#send(kind, meta);
  }

  #send(kind: FrameKind, meta: object, payload?: Uint8Array): void {
    for (const part of encodeFrame(kind, meta, payload)) this.#socket.write(part);
  }
}
