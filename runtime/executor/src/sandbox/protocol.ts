/** What the frames between supervisor and executor process say. Imports nothing: it runs on both sides. */

/** Where an executor process finds its end of the frames. */
export const frameDescriptor = 3;

/** Limits of one executor process, given to it once as its only argument (JSON). */
export interface ExecutorLimits {
  /** Heap of one function. */
  readonly memoryMiB: number;
  /** JSON bytes of a result. */
  readonly resultBytes: number;
  /** Captured log of one call. */
  readonly logBytes: number;
  /** Functions of the owner kept warm in one process. */
  readonly warmFunctions: number;
  /** Code of functions kept in one process, loaded or not. */
  readonly codeBytes: number;
}

export interface RunMeta {
  readonly call: number;
  readonly executionId: string;
  readonly functionSha256: string;
  readonly runMs: number;
}

export interface CallMeta {
  readonly call: number;
}

export interface ProgressMeta extends CallMeta {
  /** 0 to 1000. */
  readonly perMille: number;
}

/** A call waits for a thread to boot, or no longer does: booting is not run time. */
export interface PhaseMeta extends CallMeta {
  readonly phase: 'booting' | 'running';
}

export interface DoneMeta extends CallMeta {
  /** Absent when the call succeeded: one of `executionErrorCodes`. */
  readonly code?: string;
  /** Text after the code. */
  readonly text?: string;
  readonly runMs: number;
  /** Leading bytes of the payload that are the answer; the rest is the log. */
  readonly answerBytes: number;
  /** The function's thread was killed and is being replaced. */
  readonly isReplaced?: boolean;
}

/** What a function's own thread says to the executor's main thread when a call failed. */
export interface CallFailure {
  readonly code: string;
  readonly text: string;
  /** The thread is no longer fit for another call. */
  readonly isTainted: boolean;
}

/** The cap on text of an error, so that a failure cannot be larger than a result. */
export const maxErrorTextChars = 8 * 1024;
