import { Buffer } from 'node:buffer';
import { writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';
import { type MessagePort, workerData } from 'node:worker_threads';
import { encodeFrame, frameKinds } from '../../../sandbox/frames.js';
import { type CallFailure, type DoneMeta, frameDescriptor } from '../../../sandbox/protocol.js';
import { SharedCall } from '../shared-call.js';
import { buildAnswer, ResultError } from './answer.js';
import { CallState } from './call-state.js';
import { forgetParent } from './disarm.js';
import { describeLoadFailure, describeThrown } from './error-text.js';
import type { CallTask, ServeTask, ThreadMessage, ThreadSettings } from './messages.js';
import { ModuleLoader } from './module-loader.js';
import { ParameterError, parseParameters } from './parameters.js';
import { closeRealm } from './realm.js';
import { withoutGrowing } from './young-generation.js';

/**
 * What runs in a function's thread. A thread serves one function of one owner for its whole life.
 *
 * I1  One call at a time.
 * I2  An answer is built once, here, as the bytes the caller gets; nothing parses it again.
 * I3  An error outside of the running call's own promise (a timer, a forgotten promise) fails the running call and
 *     ends the thread, because nobody knows what state it left.
 * I4  A small answer goes from here to the supervisor in one write, past the main thread. A frame of that size is
 *     taken whole or not at all by a socket of the UNIX domain, and nobody else writes to it meanwhile: the main thread
 *     has nothing to say before this call is over.
 * I5  A call ends after the rejections and exceptions of its last turn were seen (I3): they replace its answer.
 * I6  What is needed of the global object is taken while this file is loaded: functions share that object, and what
 *     they put there must not get between an answer and the supervisor.
 */
const OwnPromise = Promise;
const writeFrame = writeSync;
const raceOf = Promise.race.bind(Promise) as typeof Promise.race;

/** Answers up to this size travel as text, which is the cheapest copy; larger ones are transferred. */
const textAnswerChars = 64 * 1024;
/** Answers up to this size, log included, go to the supervisor directly (I4). */
const directBytes = 12 * 1024;

type Callable = (...parameters: unknown[]) => unknown;
/** The handler for piscina; its promise lasts as long as the thread. */
export type Serve = (task: ServeTask) => Promise<never>;

class LoadError extends Error {}

/** The function that a thread calls once before any other, and its parameters. */
const rehearsed = 'export default (value) => value;';
const rehearsedParameters = '["MQ=="]';

const failure = (code: string, text: string, isTainted = false): CallFailure => ({ code, text, isTainted });

function toFailure(error: unknown): CallFailure {
  try {
    return classify(error);
  } catch {
    // A Proxy that does not even say what it is.
    return failure('function-error', describeThrown(error));
  }
}

function classify(error: unknown): CallFailure {
  if (error instanceof ParameterError) return failure('invalid-parameters', error.message);
  if (error instanceof LoadError) return failure('invalid-function', error.message, true);
  if (error instanceof ResultError) return failure(error.code, error.message);
  return failure('function-error', describeThrown(error));
}

/** The end of a call that succeeded; `answer` has one byte a character. */
function toFrame(meta: DoneMeta, answer: string, log: Buffer): Uint8Array[] {
  const bytes = Buffer.from(answer, 'latin1');
  return encodeFrame(frameKinds.done, meta, log.length === 0 ? bytes : Buffer.concat([bytes, log]));
}

/** One call on its way to its end. */
interface Ongoing {
  readonly task: CallTask;
  /** What went wrong outside of its own promise (I3); the first of it counts. */
  taint?: CallFailure;
}

class FunctionThread {
  readonly #calls: CallState;
  readonly #loader = new ModuleLoader();
  #function: Callable | undefined;
  #port: MessagePort | undefined;
  #isTainted: boolean = false;
  #call = 0;

  constructor(settings: ThreadSettings) {
    this.#calls = new CallState(new SharedCall(settings.memory), (perMille) =>
      this.#tell({ kind: 'progress', call: this.#call, perMille }),
    );
    closeRealm(this.#calls, this.#loader.exports(), (error, how) => this.#outside(error, how));
  }

  serve(port: MessagePort): void {
    forgetParent();
    this.#port = port;
    port.on('message', (task: CallTask) => void this.#serveCall(task));
    void this.#rehearse().then(() => this.#tell({ kind: 'up' }));
  }

  /** Goes the way of a call once, so that the first one finds it compiled: 2 ms of its 5. Keeps nothing of it. */
  async #rehearse(): Promise<void> {
    const run = (await this.#loader.load(Buffer.from(rehearsed))) as Callable;
    const value = await run(...parseParameters(rehearsedParameters));
    toFrame({ call: 0, runMs: 0, answerBytes: 0 }, buildAnswer(value, directBytes), Buffer.alloc(0));
  }

  /** Never rejects. */
  async #serveCall(task: CallTask): Promise<void> {
    const startedMs = performance.now();
    this.#call = task.call;
    const ongoing: Ongoing = { task };
    const answer = await this.#run(ongoing);
    setImmediate(() => {
      this.#calls.end();
      this.#finish(task, ongoing.taint ?? answer, performance.now() - startedMs); // I5
    });
  }

  #finish(task: CallTask, ended: string | CallFailure, runMs: number): void {
    const { call } = task;
    if (typeof ended !== 'string') {
      const isTainted = ended.isTainted || this.#isTainted;
      this.#tell({ kind: 'done', call, failure: ended, isTainted });
      return;
    }
    const isTainted = this.#isTainted;
    // Until it hears of the end the main thread keeps the parameters: large ones are not to stay.
    const isSmall = ended.length <= directBytes && typeof task.parameters === 'string';
    const mayBeDirect = isSmall && !isTainted && task.isOnly !== true;
    if (mayBeDirect && this.#answerDirectly(call, ended, runMs)) return;
    if (ended.length <= textAnswerChars) {
      this.#tell({ kind: 'done', call, answer: ended, isTainted });
      return;
    }
    const answer = Buffer.from(ended, 'latin1');
    this.#tell({ kind: 'done', call, answer, isTainted }, [answer.buffer as ArrayBuffer]);
  }

  /** Whether the answer is on its way; if not, the main thread has to send it. */
  #answerDirectly(call: number, answer: string, runMs: number): boolean {
    try {
      const log = this.#calls.shared.readLog();
      if (answer.length + log.length > directBytes) return false;
      const [frame, more] = toFrame({ call, runMs, answerBytes: answer.length }, answer, log);
      if (frame === undefined || more !== undefined || !this.#calls.shared.tryAnswer()) return false;
      if (writeFrame(frameDescriptor, frame) === frame.length) return true; // I4
    } catch {
      // The socket is full; the main thread can wait for it, and is told at once.
      return false;
    }
    // Not from here: a thread of functions has no means to end the process any more.
    this.#tell({ kind: 'torn' });
    return true;
  }

  #tell(message: ThreadMessage, transfer: ArrayBuffer[] = []): void {
    this.#port?.postMessage(message, transfer);
  }

  async #run(ongoing: Ongoing): Promise<string | CallFailure> {
    const { task } = ongoing;
    let interrupt: (failed: CallFailure) => void = () => undefined;
    const interrupted = new OwnPromise<CallFailure>((resolve) => {
      interrupt = resolve;
    });
    this.#calls.begin({
      executionId: task.executionId,
      deadlineMs: task.deadlineMs,
      fail: (error, how) => {
        ongoing.taint ??= failure('function-error', describeThrown(error, ` (${how})`), true); // I3
        interrupt(ongoing.taint);
      },
    });
    try {
      return await raceOf([this.#answer(task), interrupted]);
    } catch (error) {
      return toFailure(error);
    }
  }

  async #answer(task: CallTask): Promise<string> {
    if (task.code !== undefined) await this.#load(task.code);
    const parameters = parseParameters(task.parameters);
    const run = this.#function;
    if (run === undefined) throw new LoadError('the function is not loaded');
    const value = await run(...parameters);
    return buildAnswer(value, this.#calls.shared.resultBytes);
  }

  async #load(code: Uint8Array): Promise<void> {
    let exported: unknown;
    try {
      exported = await this.#loader.load(code);
    } catch (error) {
      throw new LoadError(describeLoadFailure(error, code));
    }
    if (typeof exported !== 'function') {
      throw new LoadError(
        `the default export must be a function, it is ${exported === undefined ? 'missing' : typeof exported}`,
      );
    }
    this.#function = exported as Callable;
  }

  #outside(error: unknown, how: string): void {
    const call = this.#calls.current;
    if (call !== undefined) {
      call.fail(error, how);
      return;
    }
    this.#isTainted = true;
    this.#tell({ kind: 'tainted', text: `${how} between calls: ${describeThrown(error)}` });
  }
}

/** Prepares the thread; it is ready for calls once it said that it is up. */
export function createServe(): Serve {
  const thread = withoutGrowing(() => new FunctionThread(workerData as ThreadSettings));
  return ({ port }) => {
    thread.serve(port);
    return new OwnPromise<never>(() => undefined);
  };
}
