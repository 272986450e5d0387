import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { type ExecutionErrorCode, executionErrorCodes, type Language } from '@gantry/contracts';
import { encodeFrame, type Frame, type FrameKind, FrameReader, frameKinds } from './frames.js';
import {
  type DoneMeta,
  maxErrorTextChars,
  type PhaseMeta,
  type ProgressMeta,
  type RunMeta,
} from './protocol.js';

/**
 * One executor process as the supervisor sees it: starting → idle ⇄ busy → dead. In one piece, because settling a
 * call, its clock and the death of the process all touch the same state.
 *
 * I1  One call at a time; each call is settled exactly once, also when the process dies.
 * I2  Bound to one owner for life, at its first call.
 * I3  What comes from the process is not trusted: a frame that is malformed, or not due at this point of the call,
 *     kills it. Frames of calls that are over may still be on their way, and are ignored.
 * I4  Nothing it prints can grow: only the last bytes of its streams are kept, for diagnosis.
 * I5  No frame extends a call beyond the time for its code, its boot and its run.
 */
const keptDiagnosticChars = 2048;
/** After the end of a call's own time (and the grace its signal gets) the process itself is killed. */
const overstayMs = 1000;
/** A thread boots in 50 ms; this is for a machine that is very busy. */
const bootWithinMs = 10_000;
/** Longer than the deadline of the fetch itself. */
const codeWithinMs = 15_000;
const maxTimerMs = 2 ** 31 - 1;
const lastWordsMs = 200;
/** Only a preference among processes depends on it. */
const maxRememberedFunctions = 256;

export interface ExecutorCall {
  readonly executionId: string;
  readonly functionSha256: string;
  readonly parameters: Buffer;
  readonly runMs: number;
  /** Asked for only when the process does not have the code yet. */
  readonly loadCode: () => Promise<Buffer>;
  readonly onProgress?: (perMille: number) => void;
}

export type CallOutcome =
  | { readonly kind: 'succeeded'; readonly answer: Buffer; readonly log: Buffer; readonly runMs: number }
  | {
      readonly kind: 'failed';
      readonly code: ExecutionErrorCode;
      readonly text: string;
      readonly log: Buffer;
      readonly runMs: number;
      readonly isReplaced: boolean;
    };

export interface SpawnPlan {
  readonly file: string;
  readonly args: readonly string[];
  readonly options: Parameters<typeof spawn>[2];
}

/** How far a call is, as the process told it. `sent`: it may run already, if the process has its code. */
type Stage = 'sent' | 'code-asked' | 'code-sent' | 'booting' | 'running';

/** Codes that the process itself can know of; `cancelled` only after it was asked to. */
const trustedCodes: ReadonlySet<ExecutionErrorCode> = new Set<ExecutionErrorCode>([
  'function-error',
  'invalid-function',
  'invalid-parameters',
  'execution-timeout',
  'out-of-memory',
  'result-not-serializable',
  'result-too-large',
  'cancelled',
]);
const answerHead = Buffer.from('{"ret_code":0,"res":"');
const answerTail = Buffer.from('","err":null}');

function isAnswer(bytes: Buffer): boolean {
  return (
    bytes.length >= answerHead.length + answerTail.length &&
    bytes.subarray(0, answerHead.length).equals(answerHead) &&
    bytes.subarray(bytes.length - answerTail.length).equals(answerTail)
  );
}

/** @throws {RangeError} I3 */
function expectThat(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new RangeError(what);
}

interface RunningCall {
  readonly call: ExecutorCall;
  readonly number: number;
  readonly startedMs: number;
  readonly settle: (outcome: CallOutcome) => void;
  isAborted: boolean;
  stage: Stage;
  overstay?: NodeJS.Timeout;
}

const none = Buffer.alloc(0);

export class ExecutorProcess {
  readonly language: Language;
  readonly ready: Promise<void>;
  owner: string | undefined;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  readonly #onExit: (process: ExecutorProcess) => void;
  readonly #loaded = new Set<string>();
  #calls = 0;
  #running: RunningCall | undefined;
  #isDead: boolean = false;
  /** Killed or ended, and its last words are awaited. */
  #isDoomed: boolean = false;
  #isReady: boolean = false;
  /** It sent nonsense: nothing more of it is read (I3). */
  #isRefused: boolean = false;
  #killReason: { code: ExecutionErrorCode; text: string } | undefined;
  #diagnostics = '';

  constructor(
    language: Language,
    plan: SpawnPlan,
    maxFrameBytes: number,
    onExit: (process: ExecutorProcess) => void,
  ) {
    this.language = language;
    this.#onExit = onExit;
    this.#child = spawn(plan.file, [...plan.args], plan.options ?? {});
    this.#pipe = this.#child.stdio[3] as Duplex;
    this.ready = new Promise((resolve, reject) => {
      this.#child.once('error', (error) => {
        reject(new Error(`executor process did not start: ${error.message}`));
        this.#onDeath('could not be started');
      });
      const onEnd = (code: number | null, signal: NodeJS.Signals | null) => {
        reject(new Error(`executor process ended while starting: ${this.#endText(code, signal)}`));
        this.#onDeath(this.#endText(code, signal), code, signal);
      };
      // Its last words on stderr say why; they may come after the exit.
      this.#child.once('exit', (code, signal) => {
        this.#isDoomed = true;
        setTimeout(onEnd, lastWordsMs, code, signal);
      });
      this.#child.once('close', onEnd);
      this.#listen(resolve, maxFrameBytes);
    });
    this.ready.catch(() => undefined); // Whoever needs the process awaits it; a spare may fail unseen.
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** No call can be given to it any more. */
  get isDead(): boolean {
    return this.#isDead || this.#isDoomed;
  }

  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** Whether the process ran this function before, and probably still has it loaded. */
  hasRun(functionSha256: string): boolean {
    return this.#loaded.has(functionSha256);
  }

  /** Runs one call; always resolves (I1). The caller sees to it that no other call runs. */
  run(call: ExecutorCall): Promise<CallOutcome> {
    return new Promise((resolve) => {
      if (this.isDead || this.#running !== undefined) {
        resolve(this.#failure('worker-lost', 'the executor process is not free', 0));
        return;
      }
      this.#calls += 1;
      const running: RunningCall = {
        call,
        number: this.#calls,
        startedMs: performance.now(),
        settle: resolve,
        isAborted: false,
        stage: 'sent',
      };
      this.#running = running;
      this.#watchTime(running);
      const { executionId, functionSha256, runMs } = call;
      const meta: RunMeta = { call: running.number, executionId, functionSha256, runMs };
      if (this.#loaded.size >= maxRememberedFunctions) this.#loaded.clear();
      this.#loaded.add(functionSha256);
      this.#send(frameKinds.run, meta, call.parameters);
    });
  }

  /** Asks the process to stop the running call; it is killed if it does not within a second. */
  abort(): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#send(frameKinds.abort, { call: running.number });
    clearTimeout(running.overstay);
    running.isAborted = true;
    running.overstay = setTimeout(
      () => this.kill({ code: 'cancelled', text: 'stopped on request' }),
      overstayMs,
    );
  }

  /** Ends the process and everything in its group. `reason` becomes the outcome of the running call. */
  kill(reason?: { code: ExecutionErrorCode; text: string }): void {
    if (this.#isDead) return;
    this.#killReason ??= reason;
    const pid = this.#child.pid;
    if (pid === undefined) return;
    this.#isDoomed = true;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      this.#child.kill('SIGKILL');
    }
  }

  /** Kills it and waits until it is gone. */
  async end(): Promise<void> {
    if (this.#isDead) return;
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.kill();
    await gone;
  }

  #listen(onReady: () => void, maxFrameBytes: number): void {
    const reader = new FrameReader(maxFrameBytes, (frame) => this.#onFrame(frame, onReady));
    this.#pipe.on('data', (chunk: Buffer) => {
      if (this.#isRefused) return;
      try {
        reader.push(chunk);
      } catch (error) {
        this.#isRefused = true;
        this.kill({ code: 'worker-lost', text: `the executor sent nonsense: ${String(error)}` }); // I3
      }
    });
    // A write to a process that just died; its exit tells the rest.
    this.#pipe.on('error', () => undefined);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue;
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        this.#diagnostics = (this.#diagnostics + text).slice(-keptDiagnosticChars); // I4
      });
      stream.on('error', () => undefined);
    }
  }

  /** @throws {RangeError} I3 */
  #onFrame(frame: Frame, onReady: () => void): void {
    if (frame.kind === frameKinds.ready) {
      expectThat(!this.#isReady, 'it is ready for the second time');
      this.#isReady = true;
      onReady();
      return;
    }
    const meta = frame.meta as Partial<DoneMeta & ProgressMeta & PhaseMeta> | null;
    const number = meta?.call;
    expectThat(
      typeof number === 'number' && Number.isInteger(number) && number <= this.#calls,
      'a call that was not made',
    );
    const running = this.#running;
    if (running === undefined || meta === null || number !== running.number) return;
    if (frame.kind === frameKinds.done) this.#onDone(running, meta, frame.payload);
    else if (frame.kind === frameKinds.needCode) this.#onNeedCode(running);
    else if (frame.kind === frameKinds.phase) this.#onPhase(running, meta.phase);
    else if (frame.kind === frameKinds.progress) this.#onProgress(running, meta.perMille);
    else expectThat(false, `a frame of kind ${frame.kind}`);
  }

  #onNeedCode(running: RunningCall): void {
    expectThat(running.stage === 'sent', 'it asks for code that is not due');
    running.stage = 'code-asked';
    void this.#sendCode(running);
  }

  #onPhase(running: RunningCall, phase: unknown): void {
    const { stage } = running;
    if (phase === 'booting') {
      expectThat(stage === 'sent' || stage === 'code-sent', 'it boots too late');
      running.stage = 'booting';
      this.#watchTime(running, bootWithinMs);
      return;
    }
    expectThat(phase === 'running' && stage === 'booting', 'a phase that is not due');
    running.stage = 'running';
    this.#watchTime(running);
  }

  #onProgress(running: RunningCall, perMille: unknown): void {
    expectThat(running.stage !== 'code-asked' && running.stage !== 'booting', 'progress before the run');
    expectThat(typeof perMille === 'number' && perMille >= 0 && perMille <= 1000, 'progress out of range');
    running.stage = 'running';
    running.call.onProgress?.(perMille);
  }

  #onDone(running: RunningCall, meta: Partial<DoneMeta>, payload: Buffer): void {
    const elapsedMs = performance.now() - running.startedMs;
    const runMs = Math.min(Math.max(Number(meta.runMs) || 0, 0), elapsedMs);
    if (meta.code === undefined) {
      expectThat(running.stage !== 'code-asked' && running.stage !== 'booting', 'an answer before the run');
      const { answerBytes } = meta;
      expectThat(
        typeof answerBytes === 'number' && Number.isInteger(answerBytes) && answerBytes <= payload.length,
        'an answer that is not in its frame',
      );
      const answer = payload.subarray(0, Math.max(0, answerBytes));
      expectThat(isAnswer(answer), 'an answer of another form');
      this.#settle(running, { kind: 'succeeded', answer, log: payload.subarray(answerBytes), runMs });
      return;
    }
    const code = executionErrorCodes.find((known) => known === meta.code);
    expectThat(
      code !== undefined && trustedCodes.has(code) && (code !== 'cancelled' || running.isAborted),
      'a failure it cannot know of',
    );
    const text = String(meta.text ?? '').slice(0, maxErrorTextChars);
    const isReplaced = meta.isReplaced === true;
    this.#settle(running, { kind: 'failed', code, text, log: payload, runMs, isReplaced });
  }

  async #sendCode(running: RunningCall): Promise<void> {
    // The fetch has a deadline of its own.
    this.#watchTime(running, codeWithinMs);
    try {
      const code = await running.call.loadCode();
      if (this.#running !== running) return;
      running.stage = 'code-sent';
      // Time counts from the start of the run, not of the fetch.
      this.#watchTime(running);
      this.#send(frameKinds.code, { call: running.number }, code);
    } catch (error) {
      if (this.#running !== running) return;
      this.#send(frameKinds.abort, { call: running.number });
      const text = error instanceof Error ? error.message : 'the code of the function cannot be had';
      this.#settle(running, this.#failure('code-unavailable', text, 0));
    }
  }

  /** Kills the process when the run, after `beforeMs` for what comes before it, lasts longer than it may. */
  #watchTime(running: RunningCall, beforeMs = 0): void {
    // Once it is to be stopped, only that counts.
    if (running.isAborted) return;
    clearTimeout(running.overstay);
    const { runMs } = running.call;
    const elapsedMs = performance.now() - running.startedMs;
    const leftMs = codeWithinMs + bootWithinMs + runMs + overstayMs - elapsedMs; // I5
    running.overstay = setTimeout(
      () => this.kill({ code: 'execution-timeout', text: `stopped after ${runMs} ms` }),
      Math.min(runMs + beforeMs + overstayMs, leftMs, maxTimerMs),
    );
  }

  #settle(running: RunningCall, outcome: CallOutcome): void {
    clearTimeout(running.overstay);
    this.#running = undefined;
    running.settle(outcome);
  }

  #onDeath(how: string, code: number | null = null, signal: NodeJS.Signals | null = null): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#pipe.destroy();
    const running = this.#running;
    if (running !== undefined) {
      const reason = this.#killReason ?? this.#reasonOfDeath(how, code, signal);
      const runMs = performance.now() - running.startedMs;
      this.#settle(running, { ...this.#failure(reason.code, reason.text, runMs), isReplaced: true });
    }
    this.#onExit(this);
  }

  #reasonOfDeath(
    how: string,
    code: number | null,
    signal: NodeJS.Signals | null,
  ): { code: ExecutionErrorCode; text: string } {
    const isHeap = /heap out of memory|allocation failed|Out of memory/i.test(this.#diagnostics);
    if (isHeap || signal === 'SIGABRT' || code === 134) {
      return { code: 'out-of-memory', text: 'the executor process ran out of memory' };
    }
    return { code: 'worker-lost', text: `the executor process ended: ${how}` };
  }

  #endText(code: number | null, signal: NodeJS.Signals | null): string {
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    const last = this.#diagnostics.trim().split('\n').slice(-3).join(' | ');
    return last === '' ? how : `${how} (${last})`;
  }

  #failure(code: ExecutionErrorCode, text: string, runMs: number): CallOutcome & { kind: 'failed' } {
    return { kind: 'failed', code, text, log: none, runMs, isReplaced: false };
  }

  #send(kind: FrameKind, meta: object, payload?: Uint8Array): void {
    for (const part of encodeFrame(kind, meta, payload)) this.#pipe.write(part);
  }
}
