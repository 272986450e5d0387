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
  /** Begun: a call that takes long; its end is a line of its own. */
  readonly outcome: 'begun' | 'done' | 'refused' | 'failed';
  /** The account; `node:NAME` for what a node did itself. */
  readonly user: string;
  /** Of the node, for what a node did itself: its lines count as this account's. */
  readonly owner?: string;
  readonly node?: string;
  /** Without its query. */
  readonly path?: string;
  readonly method?: string;
  readonly status?: number;
  readonly code?: string;
  /** What was changed, in short. */
  readonly detail?: string;
  readonly requestId?: string;
  readonly address?: string;
  readonly durationMs?: number;
  /** Of lines like this one that were not written, in the minute before. */
  readonly count?: number;
}

export interface AuditLog {
  /** Never waits and never throws; what cannot be written is said in the log. */
  record(entry: AuditEntry): void;
  /** As record, for what anybody can cause as often as they like: once a minute, and then how often it was. */
  recordProbe(entry: AuditEntry): void;
}

/** Lines of an audit log, as they are. */
export interface AuditSink {
  write(entry: AuditEntry): void;
}
