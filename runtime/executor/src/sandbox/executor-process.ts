import type { DeathReason, Launch } from '../isolation/isolation.js';
import type { LanguageRuntime } from '../languages/language.js';
import { CallTally } from './call-tally.js';
import {
  type CallEvent,
  CallInProgress,
  type CallOutcome,
  callNumberOf,
  type ExecutorCall,
  expectThat,
  failureOf,
  frameBytesOf,
  idleFrameBytes,
} from './executor-call.js';
import { FrameAllowance, FrameFloodError } from './frame-allowance.js';
import { encodeFrame, type Frame, type FrameKind, FrameReader, frameKinds } from './frames.js';
import { GivenCode } from './given-code.js';
import { ProgramProcess } from './program-process.js';
import type { ExecutorLimits } from './protocol.js';

export type { CallOutcome, ExecutorCall } from './executor-call.js';

/**
 * One executor process as the supervisor sees it: starting → idle ⇄ busy → dead. Settling a call, its clock and the
 * death of the process all touch the same state, so they are here; what frames may say is in `executor-call.ts`.
 *
 * I1  One call at a time; each call is settled exactly once, also when the process dies.
 * I2  Bound to one caller, and to one owner of functions, for life at its first call.
 * I3  A frame that is malformed or not due kills the process. Frames of calls that are over may still be on their
 *     way, and are ignored.
 * I4  No frame extends a call beyond the time for its code, its boot (where the program has one) and its run.
 * I5  Frames are few and, while no call runs, small: a process that sends more is killed.
 */
/** After it was asked to stop a call (and the grace its signal gets) the process itself is killed. */
const stopWithinMs = 1000;
/** A thread boots in 50 ms; this is for a machine that is very busy. */
const bootWithinMs = 10_000;
/** Longer than the deadline of the fetch itself. */
const codeWithinMs = 15_000;
const maxTimerMs = 2 ** 31 - 1;
/** Only a preference among processes depends on it. */
const maxRememberedFunctions = 256;

/** What kind of program a process runs, and how much code it keeps. */
export interface ProgramTraits
  extends Pick<LanguageRuntime, 'name' | 'bootsThreads' | 'functionsPerProcess'>,
    Pick<ExecutorLimits, 'codeBytes'> {}

interface RunningCall {
  readonly progress: CallInProgress;
  readonly settle: (outcome: CallOutcome) => void;
  overstay?: NodeJS.Timeout;
}

const keyOf = ({ language, functionSha256 }: ExecutorCall): string => `${language} ${functionSha256}`;

export class ExecutorProcess {
  /** Name of the {@link LanguageRuntime} it is a process of. */
  readonly runtime: string;
  readonly ready: Promise<void>;
  /** Who calls it. */
  owner: string | undefined;
  /** Whose functions it runs. */
  functionOwner: string | undefined;
  /** The one function it may run, where its program cannot keep two apart. */
  onlyFunction: string | undefined;
  readonly tally = new CallTally();
  readonly #program: ProgramProcess;
  readonly #onExit: (process: ExecutorProcess) => void;
  readonly #traits: ProgramTraits;
  readonly #reader: FrameReader;
  readonly #allowance = new FrameAllowance();
  readonly #given: GivenCode;
  readonly #loaded = new Set<string>();
  /** Than one function. */
  #holdsMore: boolean = false;
  #calls = 0;
  #running: RunningCall | undefined;
  #isReady: boolean = false;
  /** It sent nonsense: nothing more of it is read (I3). */
  #isRefused: boolean = false;
  #killReason: DeathReason | undefined;
  #endedBecause: string | undefined;
  #onReady: () => void = () => undefined;
  #onFailedStart: (error: Error) => void = () => undefined;

  constructor(traits: ProgramTraits, launch: Launch, onExit: (process: ExecutorProcess) => void) {
    this.runtime = traits.name;
    this.#traits = traits;
    this.#given = new GivenCode(traits.functionsPerProcess, traits.codeBytes);
    this.#onExit = onExit;
    this.ready = new Promise((resolve, reject) => {
      this.#onReady = resolve;
      this.#onFailedStart = reject;
    });
    this.ready.catch(() => undefined); // Whoever needs the process awaits it; a spare may fail unseen.
    this.#reader = new FrameReader(idleFrameBytes, (frame) => this.#onFrame(frame));
    this.#program = new ProgramProcess(launch, {
      onData: (chunk) => this.#onData(chunk),
      onDeath: (reason, how, wasStarted) => this.#onDeath(reason, how, wasStarted),
    });
  }

  /** Of the program itself; undefined while it is not known. */
  get pid(): number | undefined {
    return this.#program.pid;
  }

  /** No call can be given to it any more. */
  get isDead(): boolean {
    return this.#program.isDead;
  }

  /** Why it ended; undefined while it lives. */
  get endedBecause(): string | undefined {
    return this.#endedBecause;
  }

  get wasReady(): boolean {
    return this.#isReady;
  }

  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** Files in its scratch folder; undefined where it has none of its own, or is not ready. */
  countScratchFiles(): number | undefined {
    return this.#isReady ? this.#program.countScratchFiles() : undefined;
  }

  /** What the kernel charges it with, scratch files included; undefined where there is no account of that. */
  memoryBytes(): number | undefined {
    return this.#program.memoryBytes();
  }

  /** Whether the process ran this function before, and probably still has it loaded. */
  hasRun(functionSha256: string): boolean {
    return this.#loaded.has(functionSha256);
  }

  /** Whether nothing of another function of its owner is in it. */
  holdsOnly(functionSha256: string): boolean {
    return this.#holdsMore === false && (this.#loaded.size === 0 || this.hasRun(functionSha256));
  }

  /** Runs one call; always resolves (I1). The caller sees to it that no other call runs. */
  run(call: ExecutorCall): Promise<CallOutcome> {
    return new Promise((resolve) => {
      if (this.isDead || this.#running !== undefined) {
        resolve(failureOf('worker-lost', 'the executor process is not free', 0));
        return;
      }
      this.#calls += 1;
      const hasCode = this.#given.has(keyOf(call));
      const { bootsThreads } = this.#traits;
      const progress = new CallInProgress(call, this.#calls, { hasCode, bootsThreads });
      const running: RunningCall = { progress, settle: resolve };
      this.#running = running;
      this.tally.begin(call.functionSha256, call.isFresh);
      this.#allowance.grow();
      this.#limitFrames(frameBytesOf(call));
      this.#watchTime(running);
      if (this.#loaded.size >= maxRememberedFunctions) this.#loaded.clear();
      this.#loaded.add(call.functionSha256);
      this.#holdsMore ||= this.#loaded.size > 1;
      this.#send(frameKinds.run, running.progress.runMeta, call.parameters);
    });
  }

  /** Asks the process to stop the running call; it is killed if it does not within a second. */
  abort(): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#send(frameKinds.abort, { call: running.progress.number });
    clearTimeout(running.overstay);
    running.progress.isAborted = true;
    running.overstay = setTimeout(
      () => this.kill({ code: 'cancelled', text: 'stopped on request' }),
      stopWithinMs,
    );
  }

  /** Ends the process and everything it started. `reason` becomes the outcome of the running call. */
  kill(reason?: DeathReason): void {
    this.#killReason ??= reason;
    this.#program.kill();
  }

  /** Kills it and waits until it is gone. @throws {DeadlineError} when it is not within `withinMs` */
  end(withinMs?: number): Promise<void> {
    return this.#program.end(withinMs);
  }

  #onData(chunk: Buffer): void {
    this.#guard(() => this.#reader.push(chunk));
  }

  /** While a call runs it may send an answer; else only what is small (I5). */
  #limitFrames(sizeBytes: number): void {
    this.#guard(() => this.#reader.limitTo(sizeBytes));
  }

  #guard(read: () => void): void {
    if (this.#isRefused) return;
    try {
      read();
    } catch (error) {
      this.#isRefused = true;
      const isFlood = error instanceof FrameFloodError;
      const text = isFlood ? error.message : `the executor sent nonsense: ${String(error)}`;
      this.kill({ code: 'worker-lost', text }); // I3, I5
    }
  }

  /** @throws {RangeError} I3 */
  #onFrame(frame: Frame): void {
    if (frame.kind === frameKinds.ready) {
      expectThat(!this.#isReady, 'it is ready for the second time');
      this.#isReady = true;
      this.#onReady();
      return;
    }
    const number = callNumberOf(frame, this.#calls);
    const running = this.#running;
    const isOfRunning = number === running?.progress.number;
    if (!isOfRunning || frame.kind === frameKinds.progress) this.#allowance.take(); // I5
    if (running === undefined || !isOfRunning) return;
    this.#onEvent(running, running.progress.accept(frame));
  }

  #onEvent(running: RunningCall, event: CallEvent): void {
    switch (event.kind) {
      case 'code-wanted':
        void this.#sendCode(running);
        return;
      case 'booting':
        running.progress.clock.waitForBoot(bootWithinMs);
        this.#watchTime(running, {
          code: 'worker-lost',
          text: `no thread for the function within ${bootWithinMs} ms`,
        });
        return;
      case 'running':
        running.progress.clock.go();
        this.#watchTime(running);
        return;
      case 'progress':
        running.progress.call.onProgress?.(event.perMille);
        return;
      case 'over':
        if (event.isLast) this.kill();
        this.#settle(running, event.outcome);
    }
  }

  async #sendCode(running: RunningCall): Promise<void> {
    const { call, number, clock } = running.progress;
    // The fetch has a deadline of its own.
    clock.waitForCode(codeWithinMs);
    this.#watchTime(running, { code: 'code-unavailable', text: 'the code did not come in time' });
    try {
      const code = await call.loadCode();
      if (this.#running !== running) return;
      running.progress.codeIsSent();
      this.#given.wasSent(code.length);
      clock.go();
      // Time counts from the start of the run, not of the fetch.
      this.#watchTime(running);
      this.#send(frameKinds.code, { call: number }, code);
    } catch (error) {
      if (this.#running !== running) return;
      this.#send(frameKinds.abort, { call: number });
      const text = error instanceof Error ? error.message : 'the code of the function cannot be had';
      this.#settle(running, failureOf('code-unavailable', text, 0));
    }
  }

  /** Kills the process when what it does now (it runs, unless it is said what it waits for) lasts too long. */
  #watchTime(running: RunningCall, isLate?: DeathReason): void {
    const { isAborted, clock, call } = running.progress;
    // Once it is to be stopped, only that counts.
    if (isAborted) return;
    clearTimeout(running.overstay);
    const reason = isLate ?? { code: 'execution-timeout', text: `stopped after ${call.runMs} ms` };
    running.overstay = setTimeout(() => this.kill(reason), Math.min(clock.leftMs, maxTimerMs)); // I4
  }

  #settle(running: RunningCall, outcome: CallOutcome): void {
    clearTimeout(running.overstay);
    this.#running = undefined;
    this.tally.end(outcome.kind === 'failed' && outcome.isReplaced);
    if (outcome.kind === 'succeeded') this.#given.succeeded(keyOf(running.progress.call));
    this.#limitFrames(idleFrameBytes);
    running.settle(outcome);
  }

  #onDeath(found: DeathReason, how: string, wasStarted: boolean): void {
    this.#onFailedStart(
      new Error(`executor process ${wasStarted ? `ended while starting: ${how}` : `did not start: ${how}`}`),
    );
    const reason = this.#killReason ?? found;
    this.#endedBecause = this.#killReason?.text ?? how;
    const running = this.#running;
    if (running !== undefined) {
      const { elapsedMs } = running.progress.clock;
      this.#settle(running, { ...failureOf(reason.code, reason.text, elapsedMs), isReplaced: true });
    }
    this.#onExit(this);
  }

  #send(kind: FrameKind, meta: object, payload?: Uint8Array): void {
    this.#program.write(encodeFrame(kind, meta, payload));
  }
}
