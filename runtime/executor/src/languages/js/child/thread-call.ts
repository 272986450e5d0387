/** A call as the main thread gives it to the thread of its function, and what it came to. */

export interface ThreadCall {
  readonly call: number;
  readonly executionId: string;
  readonly parameters: Buffer;
  readonly code: Buffer;
  readonly runMs: number;
  readonly resultBytes: number;
  readonly logBytes: number;
  /** The thread is destroyed after it. */
  readonly isOnly: boolean;
  readonly onProgress: (perMille: number) => void;
  readonly onPhase: (phase: 'booting' | 'running') => void;
  /** At most once; not at all when the thread answered the supervisor itself. */
  readonly onOutcome: (outcome: ThreadOutcome) => void;
}

export type ThreadOutcome =
  | { readonly kind: 'answer'; readonly answer: Uint8Array; readonly log: Buffer }
  | {
      readonly kind: 'failure';
      readonly code: string;
      readonly text: string;
      readonly log: Buffer;
      readonly isReplaced: boolean;
    };
