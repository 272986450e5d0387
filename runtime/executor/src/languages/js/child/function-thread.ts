import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import type { ExecutorLimits } from '../../../sandbox/protocol.js';
import { SharedCall } from '../shared-call.js';
import type { CallTask, ServeTask, ThreadMessage } from '../thread/messages.js';
import { dieAtOnce } from './die-at-once.js';
import { exited, poolOfOneThread } from './one-thread-pool.js';
import type { ThreadCall, ThreadOutcome } from './thread-call.js';

/** After the abort signal a function has this long to clean up before its thread is killed. */
const abortGraceMs = 50;
/** Parameters up to this size travel as text (the cheapest copy); larger ones are transferred. */
const textParametersBytes = 64 * 1024;
/**
 * A thread boots in 50 ms. Piscina 5.3 forgets a task whose replacement thread dies while it boots: nothing else would
 * ever end that wait.
 */
const bootWithinMs = 4000;
const maxTimerMs = 2 ** 31 - 1;

/** One thread from its start to its death. */
interface Life {
  readonly port: MessagePort;
  /** Aborting it makes piscina kill the thread. */
  readonly killer: AbortController;
  /** Known once it is up. */
  thread?: Worker;
  isLoaded: boolean;
  /** Resolves when the thread is up, or rejects when it died before. */
  readonly up: Promise<void>;
  readonly onUp: () => void;
  readonly onNeverUp: (error: unknown) => void;
}

interface Running {
  readonly call: ThreadCall;
  /** The thread that has it; undefined while one boots. */
  life?: Life;
  deadlineMs: number;
  aborted?: 'cancelled' | 'timeout';
  killTimer?: NodeJS.Timeout;
  /** What it came to, while the thread it tainted dies. */
  ending?: ThreadOutcome;
}

const outOfMemory = 'ERR_WORKER_OUT_OF_MEMORY';

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';

/**
 * A piscina pool of one thread, for one function. Piscina starts, kills and replaces the thread; for all its life the
 * thread works on one task of piscina's, which is to serve calls from a port. A task for each call cost more than the
 * rest of this process together. In one piece, because the life of the thread and that of the call decide together how
 * a call ended.
 *
 * I1  One call at a time: the supervisor gives an executor process one call at a time.
 * I2  A call that is over has no thread left running: an outcome of a killed call waits for the thread's exit.
 * I3  `#running` may be over without this thread having been told; `SharedCall.isOver` knows.
 * I4  One timer serves the deadlines of all calls: it is armed at the earliest of them and looks again when it fires.
 */
export class FunctionThread {
  readonly #pool: Piscina;
  readonly #shared: SharedCall;
  readonly #onTainted: (text: string) => void;
  #life: Life | undefined;
  #running: Running | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = 0;
  #isDestroyed: boolean = false;

  constructor(entryFile: string, limits: ExecutorLimits, onTainted: (text: string) => void) {
    this.#shared = SharedCall.ofLogBytes(limits.logBytes);
    this.#onTainted = onTainted;
    this.#pool = poolOfOneThread(entryFile, { memory: this.#shared.memory }, limits.memoryMiB);
  }

  /** Resolves when the thread is up. @throws {Error} when it died instead */
  booted(): Promise<void> {
    this.#life ??= this.#begin();
    return this.#life.up;
  }

  run(call: ThreadCall): void {
    const running: Running = { call, deadlineMs: 0 };
    this.#running = running;
    if (this.#life?.thread === undefined) void this.#bootFor(running);
    else this.#post(running, this.#life);
  }

  /** Stops the running call: the function sees its signal abort, then its thread is killed. */
  cancel(): void {
    if (this.#running !== undefined) this.#stop(this.#running, 'cancelled');
  }

  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    clearTimeout(this.#timer);
    await this.#pool.destroy();
  }

  #begin(): Life {
    const { port1, port2 } = new MessageChannel();
    const killer = new AbortController();
    let onUp: () => void = () => undefined;
    let onNeverUp: (error: unknown) => void = () => undefined;
    const up = new Promise<void>((resolve, reject) => {
      onUp = resolve;
      onNeverUp = reject;
    });
    const life: Life = { port: port1, killer, isLoaded: false, up, onUp, onNeverUp };
    const late = setTimeout(() => killer.abort(), bootWithinMs);
    void up.catch(() => undefined).finally(() => clearTimeout(late)); // Whoever waits for the thread is told.
    port1.on('message', (message: ThreadMessage) => this.#onMessage(life, message));
    const task: ServeTask = { port: port2 };
    this.#pool
      .run(task, { signal: killer.signal, transferList: [port2] })
      .catch((error: unknown) => this.#onDeath(life, error));
    return life;
  }

  async #onDeath(life: Life, error: unknown): Promise<void> {
    life.port.close();
    if (this.#life === life) this.#life = undefined;
    life.onNeverUp(error);
    await exited(life.thread); // I2
    const running = this.#running;
    // One that did not even come up is tried again only when it is needed.
    if (life.thread !== undefined && !this.#isDestroyed) this.#life ??= this.#begin();
    if (running === undefined || running.life !== life || this.#shared.isOver) return;
    this.#end(running, running.ending ?? this.#afterDeath(error, running));
  }

  /** Waits for the thread outside of the call's time. */
  async #bootFor(running: Running): Promise<void> {
    const { call } = running;
    call.onPhase('booting');
    // The function has not run: a thread that does not come up is tried once more.
    const error = await this.booted().catch(() => this.booted().catch((reason: unknown) => reason));
    if (this.#running !== running) return;
    call.onPhase('running');
    const life = this.#life;
    if (running.aborted !== undefined) this.#end(running, this.#stopped(running.aborted, call, false));
    else if (life?.thread === undefined && codeOf(error) !== outOfMemory) endProcess(error);
    else if (life?.thread === undefined) this.#end(running, this.#afterDeath(error, running));
    else this.#post(running, life);
  }

  #post(running: Running, life: Life): void {
    const { call, executionId, parameters, code, runMs, isOnly } = running.call;
    const isText = parameters.length <= textParametersBytes;
    const sent = isText ? parameters.toString('latin1') : new Uint8Array(parameters);
    const task: CallTask = {
      call,
      parameters: sent,
      executionId,
      deadlineMs: Date.now() + runMs,
      // A copy of its own: a view would take the whole frame along.
      ...(life.isLoaded ? {} : { code: new Uint8Array(code) }),
      ...(isOnly ? { isOnly } : {}),
    };
    life.isLoaded = true; // A thread that could not load it is replaced.
    running.life = life;
    running.deadlineMs = performance.now() + runMs;
    this.#shared.begin(running.call);
    this.#armTimer(running.deadlineMs);
    if (typeof sent === 'string') life.port.postMessage(task);
    else life.port.postMessage(task, [sent.buffer as ArrayBuffer]);
  }

  #armTimer(deadlineMs: number): void {
    if (this.#timer !== undefined && this.#timerAtMs <= deadlineMs) return; // I4
    clearTimeout(this.#timer);
    this.#timerAtMs = deadlineMs;
    const leftMs = Math.ceil(deadlineMs - performance.now());
    this.#timer = setTimeout(() => this.#onTimer(), Math.min(Math.max(leftMs, 1), maxTimerMs));
  }

  #onTimer(): void {
    this.#timer = undefined;
    const running = this.#running;
    if (running?.life === undefined || this.#shared.isOver) return;
    if (performance.now() >= running.deadlineMs) this.#stop(running, 'timeout');
    else this.#armTimer(running.deadlineMs);
  }

  #stop(running: Running, reason: 'cancelled' | 'timeout'): void {
    if (running.aborted !== undefined) return;
    const { life } = running;
    if (life === undefined) {
      // It waits for its thread, which must not be killed for it.
      running.aborted = reason;
      return;
    }
    if (!this.#shared.tryStop()) return; // I3
    running.aborted = reason;
    this.#shared.requestAbort(reason);
    running.killTimer = setTimeout(() => life.killer.abort(), abortGraceMs);
  }

  #onMessage(life: Life, message: ThreadMessage): void {
    if (message.kind === 'up') {
      life.thread = this.#pool.threads[0] as Worker;
      life.onUp();
      return;
    }
    if (message.kind === 'torn') {
      dieAtOnce();
      return;
    }
    const running = this.#running;
    const isRunning = running?.life === life && (!this.#shared.isOver || message.kind === 'done');
    if (message.kind === 'tainted') {
      if (isRunning) return; // The thread says so again when that call ends.
      this.#onTainted(message.text);
      life.killer.abort();
    } else if (!isRunning || running.call.call !== message.call) return;
    else if (message.kind === 'progress') running.call.onProgress(message.perMille);
    else this.#onDone(running, life, message);
  }

  #onDone(running: Running, life: Life, message: ThreadMessage & { kind: 'done' }): void {
    clearTimeout(running.killTimer);
    const outcome = this.#outcomeOf(running, message);
    if (!message.isTainted) {
      this.#end(running, outcome);
      return;
    }
    running.ending = outcome;
    running.aborted ??= 'cancelled'; // Nothing is left to stop.
    life.killer.abort();
  }

  #outcomeOf(running: Running, message: ThreadMessage & { kind: 'done' }): ThreadOutcome {
    const { failure, answer, isTainted } = message;
    if (running.aborted !== undefined) return this.#stopped(running.aborted, running.call, isTainted);
    if (failure !== undefined) return this.#failed(failure.code, failure.text, isTainted);
    const bytes = typeof answer === 'string' ? Buffer.from(answer, 'latin1') : (answer ?? Buffer.alloc(0));
    return { kind: 'answer', answer: bytes, log: this.#shared.readLog() };
  }

  #end(running: Running, outcome: ThreadOutcome): void {
    // A kill after the end would hit a thread that is free again.
    clearTimeout(running.killTimer);
    this.#shared.end();
    this.#running = undefined;
    running.call.onOutcome(outcome);
  }

  #afterDeath(error: unknown, running: Running): ThreadOutcome {
    if (running.aborted !== undefined) return this.#stopped(running.aborted, running.call, true);
    if (codeOf(error) === outOfMemory)
      return this.#failed('out-of-memory', 'the heap of the function is full', true);
    return this.#failed('function-error', 'the thread of the function ended', true);
  }

  #stopped(reason: 'cancelled' | 'timeout', call: ThreadCall, isReplaced: boolean): ThreadOutcome {
    return reason === 'timeout'
      ? this.#failed('execution-timeout', `stopped after ${call.runMs} ms`, isReplaced)
      : this.#failed('cancelled', 'stopped on request', isReplaced);
  }

  #failed(code: string, text: string, isReplaced: boolean): ThreadOutcome {
    return { kind: 'failure', code, text, log: this.#shared.readLog(), isReplaced };
  }
}

/** No thread comes up, whose fault it is not: a new process may be better off. The supervisor sees to the call. */
function endProcess(error: unknown): void {
  process.stderr.write(`no thread comes up: ${String(error)}\n`, dieAtOnce);
}
