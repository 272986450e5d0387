/** What the frames between supervisor and executor process say. Imports nothing: it runs on both sides. */

/** Where an executor process finds its end of the frames. */
export const frameDescriptor = 3;

/** What is fixed when a process starts: a call that wants another shape gets another process. */
export interface ProcessShape {
  /** Heap of one function. */
  readonly memoryMiB: number;
  /** Its scratch folder. */
  readonly scratchMiB: number;
}

/** Limits of one executor process, given to it once as its only argument (JSON). */
export interface ExecutorLimits extends ProcessShape {
  /** JSON bytes of a result; a call may have less. */
  readonly resultBytes: number;
  /** Captured log of one call; a call may have less. */
  readonly logBytes: number;
  /** Functions of the owner kept warm in one process. */
  readonly warmFunctions: number;
  /** Code of functions kept in one process, loaded or not. */
  readonly codeBytes: number;
}

export interface RunMeta {
  readonly call: number;
  readonly executionId: string;
  /** One of those the program was made for. */
  readonly language: string;
  readonly functionSha256: string;
  readonly runMs: number;
  /** At most those of {@link ExecutorLimits}. */
  readonly resultBytes: number;
  readonly logBytes: number;
  /** Nothing of an earlier call may be left, and nothing of this one may stay. */
  readonly fresh: boolean;
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
  /** The process is not fit for another call. */
  readonly isLast?: boolean;
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
