/** What the verifier and its worker threads say to each other. Plain data: it is cloned across threads. */
import type { Principal } from '@gantry/contracts';

export interface VerifyRequest {
  /** The decoded token. */
  readonly bytes: Uint8Array;
  /** 64 hex characters. */
  readonly publicKey: string;
  readonly nowMs: number;
}

export type VerifyOutcome =
  | {
      readonly kind: 'valid';
      readonly principal: Principal;
      readonly expiresAtMs: number | undefined;
      /** Whether the answer stays the same until `expiresAtMs`; else it holds for the second of `nowMs` only. */
      readonly isPlain: boolean;
    }
  | {
      readonly kind: 'invalid';
      readonly detail: string;
      /** Whether the token may become valid as time passes ("not before"). */
      readonly mayChange: boolean;
    }
  | { readonly kind: 'expired'; readonly detail: string }
  | { readonly kind: 'too-complex'; readonly detail: string }
  /** The thread got no time to run, or broke; says nothing about the token. */
  | { readonly kind: 'timeout' };

/** Slot 0 of the shared memory of a worker: how far it is with the request that it was given. */
export const workerProgress = { waiting: 0, running: 1, done: 2 } as const;

export interface WorkerSetup {
  /** An Int32Array of one slot, see {@link workerProgress}. */
  readonly progress: SharedArrayBuffer;
}

export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly detail: string }
  | { readonly kind: 'outcome'; readonly outcome: VerifyOutcome; readonly isBroken: boolean };
