import { type ExecutionErrorCode, executionErrorCodes, type Language } from '@gantry/contracts/execution';
import { isAnswer } from './answer-form.js';
import { CallClock } from './call-clock.js';
import { type Frame, frameKinds, maxMetaBytes } from './frames.js';
import {
  type DoneMeta,
  maxErrorTextChars,
  type PhaseMeta,
  type ProgressMeta,
  type RunMeta,
} from './protocol.js';

/**
 * One call of an executor process, and what its frames may say when.
 *
 * I1  What comes from the process is not trusted: a frame that is malformed, or not due at this point of the call,
 *     is a RangeError, which ends the process.
 */
export interface ExecutorCall {
  readonly executionId: string;
  readonly language: Language;
  readonly functionSha256: string;
  readonly parameters: Buffer;
  readonly runMs: number;
  readonly resultBytes: number;
  readonly logBytes: number;
  readonly isFresh: boolean;
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

/** What a frame means for the call it belongs to. */
export type CallEvent =
  | { readonly kind: 'code-wanted' }
  | { readonly kind: 'booting' }
  | { readonly kind: 'running' }
  | { readonly kind: 'progress'; readonly perMille: number }
  /** `isLast`: the process is not fit for another call. */
  | { readonly kind: 'over'; readonly outcome: CallOutcome; readonly isLast: boolean };

/** How far a call is, as the process told it. `sent`: it may run already, if the process has its code. */
type Stage = 'sent' | 'code-asked' | 'code-sent' | 'booting' | 'running';

/** Codes that the process itself can know of; `cancelled` only after it was asked to. */
const trustedCodes: ReadonlySet<ExecutionErrorCode> = new Set<ExecutionErrorCode>([
  'function-error',
  'invalid-function',
  'invalid-parameters',
  'execution-timeout',
  'out-of-memory',
  'scratch-full',
  'result-not-serializable',
  'result-too-large',
  'cancelled',
]);
const none = Buffer.alloc(0);
/** What a program adds to the log when it had to cut it. */
const logMarkerBytes = 64;
/** So that a result that is a little too large is told from a process that sends whatever it likes. */
const frameSlackBytes = 64 * 1024;
/** No call runs: what is left of the one before is small. */
export const idleFrameBytes = 64 * 1024;

/** @throws {RangeError} I1 */
export function expectThat(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new RangeError(what);
}

/** The largest frame this call can need: its result in base64, its log and what is said about them. */
export const frameBytesOf = ({ resultBytes, logBytes }: ExecutorCall): number =>
  Math.ceil(resultBytes * 1.4) + logBytes + maxMetaBytes + frameSlackBytes;

/** A failure that the supervisor found, not the process. */
export function failureOf(
  code: ExecutionErrorCode,
  text: string,
  runMs: number,
): CallOutcome & { kind: 'failed' } {
  return { kind: 'failed', code, text, log: none, runMs, isReplaced: false };
}

/** What decides which frames of a call are due, beside the call itself. */
export interface CallConditions {
  /** The process has the code of the function already. */
  readonly hasCode: boolean;
  /** The program is one that waits for threads to boot. */
  readonly bootsThreads: boolean;
}

/** The number of the call that a frame belongs to. @throws {RangeError} I1 */
export function callNumberOf(frame: Frame, lastNumber: number): number {
  const number = (frame.meta as { call?: unknown } | null)?.call;
  expectThat(
    typeof number === 'number' && Number.isInteger(number) && number <= lastNumber,
    'a call that was not made',
  );
  return number;
}

export class CallInProgress {
  readonly call: ExecutorCall;
  readonly number: number;
  readonly clock: CallClock;
  readonly #conditions: CallConditions;
  /** The process was asked to stop it. */
  isAborted: boolean = false;
  #stage: Stage = 'sent';

  constructor(call: ExecutorCall, number: number, conditions: CallConditions) {
    this.call = call;
    this.number = number;
    this.clock = new CallClock(call.runMs);
    this.#conditions = conditions;
  }

  /** What the process is told of it. */
  get runMeta(): RunMeta {
    const { executionId, language, functionSha256, runMs, resultBytes, logBytes, isFresh: fresh } = this.call;
    return { call: this.number, executionId, language, functionSha256, runMs, resultBytes, logBytes, fresh };
  }

  codeIsSent(): void {
    this.#stage = 'code-sent';
  }

  /** Takes a frame of this call. @throws {RangeError} I1 */
  accept(frame: Frame): CallEvent {
    const meta = frame.meta as Partial<DoneMeta & ProgressMeta & PhaseMeta>;
    switch (frame.kind) {
      case frameKinds.done:
        return { kind: 'over', outcome: this.#end(meta, frame.payload), isLast: meta.isLast === true };
      case frameKinds.needCode:
        expectThat(this.#stage === 'sent' && !this.#conditions.hasCode, 'it asks for code that is not due');
        this.#stage = 'code-asked';
        return { kind: 'code-wanted' };
      case frameKinds.phase:
        return this.#enterPhase(meta.phase);
      case frameKinds.progress:
        return this.#makeProgress(meta.perMille);
      default:
        throw new RangeError(`a frame of kind ${frame.kind}`);
    }
  }

  #enterPhase(phase: unknown): CallEvent {
    expectThat(this.#conditions.bootsThreads, 'a phase of a program that has none');
    if (phase === 'booting') {
      expectThat(this.#stage === 'sent' || this.#stage === 'code-sent', 'it boots too late');
      this.#stage = 'booting';
      return { kind: 'booting' };
    }
    expectThat(phase === 'running' && this.#stage === 'booting', 'a phase that is not due');
    this.#stage = 'running';
    return { kind: 'running' };
  }

  #makeProgress(perMille: unknown): CallEvent {
    expectThat(this.#stage !== 'code-asked' && this.#stage !== 'booting', 'progress before the run');
    expectThat(typeof perMille === 'number' && perMille >= 0 && perMille <= 1000, 'progress out of range');
    this.#stage = 'running';
    return { kind: 'progress', perMille };
  }

  #end(meta: Partial<DoneMeta>, payload: Buffer): CallOutcome {
    const runMs = Math.min(Math.max(Number(meta.runMs) || 0, 0), this.clock.elapsedMs);
    if (meta.code === undefined) return this.#succeed(meta.answerBytes, payload, runMs);
    const code = executionErrorCodes.find((known) => known === meta.code);
    expectThat(
      code !== undefined && trustedCodes.has(code) && (code !== 'cancelled' || this.isAborted),
      'a failure it cannot know of',
    );
    this.#expectLog(payload.length);
    const text = String(meta.text ?? '').slice(0, maxErrorTextChars);
    return { kind: 'failed', code, text, log: payload, runMs, isReplaced: meta.isReplaced === true };
  }

  #succeed(answerBytes: unknown, payload: Buffer, runMs: number): CallOutcome {
    expectThat(this.#stage !== 'code-asked' && this.#stage !== 'booting', 'an answer before the run');
    expectThat(
      typeof answerBytes === 'number' && Number.isInteger(answerBytes) && answerBytes <= payload.length,
      'an answer that is not in its frame',
    );
    const answer = payload.subarray(0, Math.max(0, answerBytes));
    expectThat(isAnswer(answer), 'an answer of another form');
    this.#expectLog(payload.length - answerBytes);
    return { kind: 'succeeded', answer, log: payload.subarray(answerBytes), runMs };
  }

  #expectLog(sizeBytes: number): void {
    expectThat(sizeBytes <= this.call.logBytes + logMarkerBytes, 'more log than it may have');
  }
}
