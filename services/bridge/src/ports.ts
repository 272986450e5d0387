import type { VerifiedToken, VerifyingKey } from '@gantry/tokens';
import type { TunnelTarget } from '@gantry/tunnel';

/** Who says whether a user's token is good. */
export interface UserTrust {
  /** Answers at once for a token it has seen. @throws {AppError} as {@link TokenVerifier.verify} */
  verify(token: string): VerifiedToken | Promise<VerifiedToken>;
  /** Whether it can say yes to any. */
  readonly hasKeys: boolean;
}

/** Whose tokens a bridge of its own process takes. Every method has a deadline. */
export interface CloudTrust {
  /** Every live key, the newest last. @throws {AppError} cloud-unavailable */
  readKeys(): Promise<readonly VerifyingKey[]>;
  /** Revocation ids (hex) of revoked, unexpired tokens. @throws {AppError} cloud-unavailable */
  readRevoked(): Promise<readonly string[]>;
}

/** The way to a node, whatever it speaks. */
export interface NodeLink extends TunnelTarget {
  readonly kind: 'gantry' | 'original';
  /** Whether it takes requests. */
  readonly isOpen: boolean;
  readonly connections: number;
  /** Round trip of the last heartbeat. */
  readonly latencyMs: number | undefined;
  /** Ends it and every open request now. For good: the other side is asked not to come again. */
  close(reason: string, isForGood?: boolean): void;
  /** Takes no more requests and closes when the open ones have ended, within `graceMs`. */
  drain(options: { readonly graceMs: number }): Promise<void>;
}

/** One state-changing request, or a change of a node's own connection. */
export interface AuditEntry {
  readonly action: string;
  readonly outcome: 'done' | 'refused' | 'failed';
  /** The account; `node:NAME` for what a node did itself. */
  readonly user: string;
  readonly node?: string;
  /** Without its query. */
  readonly path?: string;
  readonly method?: string;
  readonly status?: number;
  readonly code?: string;
  readonly requestId?: string;
  readonly address?: string;
  readonly durationMs?: number;
}

export interface AuditLog {
  /** Never waits and never throws; what cannot be written is said in the log. */
  record(entry: AuditEntry): void;
}
