import type { MessagePort } from 'node:worker_threads';
import type { CallFailure } from '../../../sandbox/protocol.js';

/** What the executor's main thread and a function's thread tell each other. */

/** The one task a thread has from piscina: serve the calls that come over this port. */
export interface ServeTask {
  readonly port: MessagePort;
}

/** One call as the executor's main thread hands it over. */
export interface CallTask {
  readonly call: number;
  /** Code of the function, with the first call of a thread. */
  readonly code?: Uint8Array;
  /** The caller's bytes. */
  readonly parameters: string | Uint8Array;
  readonly executionId: string;
  /** Epoch milliseconds. */
  readonly deadlineMs: number;
  /** The thread ends after it, so its end has to be told to the main thread. */
  readonly isOnly?: true;
}

export interface ThreadSettings {
  readonly memory: SharedArrayBuffer;
}

export type ThreadMessage =
  | { readonly kind: 'up' }
  | { readonly kind: 'progress'; readonly call: number; readonly perMille: number }
  /** A frame went out in part, so nobody can understand what follows it: the process has to end. */
  | { readonly kind: 'torn' }
  /** An error came up outside of any call: the thread is no longer fit. */
  | { readonly kind: 'tainted'; readonly text: string }
  /** The end of a call that the thread did not answer itself. */
  | {
      readonly kind: 'done';
      readonly call: number;
      /** One-byte text, or its bytes; absent with `failure`. */
      readonly answer?: string | Uint8Array;
      readonly failure?: CallFailure;
      readonly isTainted: boolean;
    };
