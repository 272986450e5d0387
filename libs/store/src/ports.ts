/**
 * The ports to the stores. Cloud frontends own accounts, documents, clusters, keys and tokens; each edge cluster owns
 * its executions and payloads. Two adapters (`libsql/`, `postgres/`) pass one contract suite (`store.contract.ts`).
 * Every method throws {AppError} `store-unavailable` when the store does not answer in time or refuses to write.
 */
import type {
  AgentConfigDocument,
  AgentInfo,
  CallLimits,
  ClusterReport,
  ExecutionMode,
  ExecutionStatus,
  Language,
  NodeGrant,
  Principal,
  Requirement,
  Role,
  TerminalStatus,
} from '@gantry/contracts';

/** Keyset pages: pass `nextCursor` back as `cursor`. */
export interface PageRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
}
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

export interface Account {
  readonly name: string;
  readonly role: Role;
  readonly org: string | undefined;
  readonly passwordHash: string;
  readonly createdAtMs: number;
  readonly quotaFunctions: number;
  readonly quotaFunctionBytes: number;
}

export interface AccountStore {
  /** @throws {AppError} account-exists */
  create(account: Account): Promise<void>;
  find(name: string): Promise<Account | undefined>;
  /** By name. */
  list(page: PageRequest): Promise<Page<Account>>;
  /** Removes the account and its documents. @throws {AppError} account-not-found, last-administrator */
  remove(name: string): Promise<void>;
  /** @throws {AppError} account-not-found */
  setPasswordHash(name: string, passwordHash: string): Promise<void>;
}

export interface StoredFunction {
  readonly id: number;
  readonly owner: string;
  readonly name: string | undefined;
  readonly language: Language;
  /** The client's own, informative only. */
  readonly clientHash: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly createdAtMs: number;
}

export interface NewFunction {
  readonly owner: string;
  readonly name: string | undefined;
  readonly language: Language;
  readonly clientHash: string;
  readonly sha256: string;
  readonly code: Uint8Array;
  readonly createdAtMs: number;
}

export interface StoredRequirement {
  readonly id: number;
  readonly owner: string;
  readonly requirement: Requirement;
  readonly createdAtMs: number;
}

/** One kind of document was asked for and another has the id. */
export type Found<T> =
  | { readonly kind: 'found'; readonly document: T }
  | { readonly kind: 'missing' | 'wrong-type' };

/** Functions and requirements; ids come from one sequence, from 1 up. Ownership is part of every question. */
export interface DocumentStore {
  /**
   * Idempotent by (owner, language, sha256): the same function answers its id. Quotas are checked in the same
   * transaction. @throws {AppError} quota-exceeded
   */
  putFunction(fn: NewFunction, quota: { functions: number; bytes: number }): Promise<number>;
  findFunction(id: number, principal: Principal): Promise<Found<StoredFunction>>;
  /** The decoded code. */
  readCode(id: number, principal: Principal): Promise<Uint8Array | undefined>;
  listFunctions(principal: Principal, page: PageRequest): Promise<Page<StoredFunction>>;
  removeFunction(id: number, principal: Principal): Promise<Found<true>>;
  putRequirement(owner: string, requirement: Requirement, createdAtMs: number): Promise<number>;
  replaceRequirement(id: number, principal: Principal, requirement: Requirement): Promise<Found<true>>;
  findRequirement(id: number, principal: Principal): Promise<Found<StoredRequirement>>;
  listRequirements(principal: Principal, page: PageRequest): Promise<Page<StoredRequirement>>;
  removeRequirement(id: number, principal: Principal): Promise<Found<true>>;
}

export interface Cluster {
  readonly id: number;
  readonly name: string;
  /** Undefined until the first report. */
  readonly report: ClusterReport | undefined;
  readonly lastSeenMs: number;
}

export interface ClusterStore {
  /** Makes or replaces the enrolment of a cluster; only the hash of the token is kept. */
  enrol(name: string, tokenSha256: string, atMs: number): Promise<void>;
  /** Whether the token is this cluster's. */
  isEnrolled(name: string, tokenSha256: string): Promise<boolean>;
  /** False when the token is not this cluster's. */
  report(name: string, tokenSha256: string, report: ClusterReport, atMs: number): Promise<boolean>;
  list(): Promise<readonly Cluster[]>;
  /** False when there was none. */
  remove(name: string): Promise<boolean>;
}

export interface SigningKey {
  /** Root key id written into tokens; from 1 up, the newest signs. */
  readonly id: number;
  /** Ed25519 seed, hex. */
  readonly privateKey: string;
  readonly publicKey: string;
  readonly createdAtMs: number;
}

export interface KeyStore {
  /** Oldest first. */
  list(): Promise<readonly SigningKey[]>;
  /** Adds the key unless the newest id is no longer `expectedNewestId`; then answers false. */
  add(key: SigningKey, expectedNewestId: number | undefined): Promise<boolean>;
  /** Removes keys made before, but never the newest. */
  removeOlderThan(createdBeforeMs: number): Promise<void>;
}

/** Which tokens were issued, so that an account's tokens can be revoked with it. */
export interface TokenLog {
  recordIssued(token: { revocationId: string; user: string; expiresAtMs: number }): Promise<void>;
  /** Who a token was issued to; undefined when unknown or expired. */
  ownerOf(revocationId: string): Promise<string | undefined>;
  revoke(revocationId: string, expiresAtMs: number): Promise<void>;
  revokeAllOf(user: string): Promise<void>;
  /** Revocation ids of unexpired revoked tokens. */
  listRevoked(nowMs: number): Promise<readonly string[]>;
  purgeExpired(nowMs: number): Promise<void>;
}

export interface Execution {
  readonly id: string;
  readonly owner: string;
  readonly mode: ExecutionMode;
  readonly status: ExecutionStatus;
  readonly functionId: number;
  readonly requirementId: number;
  readonly functionSha256: string;
  readonly language: Language;
  readonly flavour: string;
  /** Leases given so far. */
  readonly attempt: number;
  readonly retCode: number | undefined;
  readonly res: string | undefined;
  readonly err: string | undefined;
  readonly createdAtMs: number;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
  readonly expiresAtMs: number;
  readonly queueMs: number;
  readonly runMs: number;
  readonly runtimeId: string | undefined;
  readonly progressPerMille: number | undefined;
  readonly traceparent: string | undefined;
  /** Whose function it is, when it is not the caller's own; undefined in lists. */
  readonly functionOwner?: string | undefined;
  /** What its requirement asked of the runtime beyond time; a later publish says it again. */
  readonly isFresh?: true | undefined;
  readonly limits?: CallLimits | undefined;
}

export interface ExecutionOutcome {
  readonly status: TerminalStatus;
  readonly retCode: number | undefined;
  readonly res: string | undefined;
  readonly err: string | undefined;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number;
  readonly logs: string;
}

export type LeaseOutcome =
  | { readonly kind: 'granted'; readonly attempt: number }
  /** `running`: another delivery holds it; `exhausted`: it was started `maxAttempts` times and is now `dead`. */
  | { readonly kind: 'refused'; readonly reason: TerminalStatus | 'running' | 'exhausted' | 'unknown' };

/** `fromMs` and later, before `toMs` (of `createdAtMs`). */
export interface ExecutionFilter {
  readonly owner?: string | undefined;
  readonly status?: ExecutionStatus | undefined;
  readonly functionId?: number | undefined;
  readonly flavour?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** Executions. Terminal states never change: every writer is a compare-and-set on a non-terminal status. */
export interface ExecutionStore {
  /** Writes an asynchronous execution, `queued` and not yet published, with its parameters. Durable on return. */
  accept(execution: Execution, parameters: Uint8Array): Promise<void>;
  /** Removes what was accepted and then refused by the broker, so that it was never accepted. */
  withdraw(id: string): Promise<void>;
  markPublished(id: string, atMs: number): Promise<void>;
  /**
   * Compare-and-set before a run: attempt + 1, status `running`. Granted while `queued`, or while `running` when the
   * broker delivered the message again. Past `expiresAtMs` it becomes `expired`, past `maxAttempts` `dead`.
   */
  leaseStart(request: {
    id: string;
    runtimeId: string;
    redelivered: boolean;
    maxAttempts: number;
    nowMs: number;
  }): Promise<LeaseOutcome>;
  /**
   * First terminal state wins. `attempt` 0: not from a run. `expired` only ends what is `queued`. False when nothing
   * changed: it was terminal already, is unknown, or runs and cannot expire.
   */
  finish(id: string, attempt: number, outcome: ExecutionOutcome): Promise<boolean>;
  setProgress(id: string, attempt: number, progressPerMille: number): Promise<void>;
  /** Inserts or updates synchronous executions in one transaction; terminal rows stay as they are. */
  record(rows: readonly { execution: Execution; logs: string }[]): Promise<void>;
  find(id: string): Promise<Execution | undefined>;
  /** Undefined when unknown. */
  readLogs(id: string): Promise<string | undefined>;
  readParameters(id: string): Promise<Uint8Array | undefined>;
  /** Newest first; `res` and what was asked of the runtime are left out (undefined). */
  list(filter: ExecutionFilter, page: PageRequest): Promise<Page<Execution>>;
  /** Asynchronous, `queued`, accepted before `beforeMs` and never confirmed by the broker; oldest first. */
  listUnpublished(beforeMs: number, limit: number): Promise<readonly Execution[]>;
  /** When the asynchronous execution of a flavour that waits longest was accepted; undefined when none waits. */
  oldestQueuedAtMs(flavour: string): Promise<number | undefined>;
  /**
   * Puts executions back to `queued` and unpublished: with `all`, every unfinished asynchronous one (the broker lost
   * its memory); else those `running` for longer than their `runMs` + `graceMs`. Exhausted ones become `dead`. What ran
   * waits for its whole `queueMs` again: `expiresAtMs` moves. A call changes a bounded number; answers how many.
   */
  requeueLost(request: {
    all: boolean;
    graceMs: number;
    maxAttempts: number;
    nowMs: number;
  }): Promise<number>;
  /** `queued` past their `expiresAtMs` + `graceMs` become `expired`; unfinished sync ones likewise after their run time. */
  expireOverdue(nowMs: number, graceMs: number): Promise<number>;
  /**
   * Drops results, logs and parameters of what finished before; the rows stay as tombstones (410) until
   * `dropBeforeMs`. A call changes a bounded number; answers how many.
   */
  purge(request: { finishedBeforeMs: number; dropBeforeMs: number }): Promise<number>;
  /** Whether results of this execution were purged. */
  isPurged(id: string): Promise<boolean>;
}

/** Claim checks: bytes by their own sha256. */
export interface PayloadStore {
  /** Answers the sha256 in hex. */
  put(bytes: Uint8Array, nowMs: number): Promise<string>;
  get(sha256: string): Promise<Uint8Array | undefined>;
  /** Removes what was last put before. */
  purge(beforeMs: number): Promise<void>;
}

/** An edge node as a bridge knows it. */
export interface EdgeNode {
  readonly name: string;
  readonly owner: string;
  /** What connected last. */
  readonly kind: 'gantry' | 'original' | undefined;
  readonly createdAtMs: number;
  readonly lastSeenMs: number | undefined;
  /** Grows with everything that takes the name over; who holds an older one is fenced. */
  readonly leaseEpoch: number;
  /** Revocation id of the one credential that is good for the name. */
  readonly credentialId: string | undefined;
  readonly isRevoked: boolean;
  /** As they were given at the enrolment. */
  readonly labels: Readonly<Record<string, string>>;
  readonly grants: readonly NodeGrant[];
  readonly settings: AgentConfigDocument | undefined;
  /** What the agent said of itself last. */
  readonly report: AgentInfo | undefined;
  /** Who has the newest lease; undefined when nobody has, or it was given back. */
  readonly heldBy: LeaseHolder | undefined;
}

/** A bridge that nodes are connected to. */
export interface LeaseHolder {
  /** Of the process. */
  readonly bridgeId: string;
  /** Where it is reached, if it was told. */
  readonly url: string | null;
}

export interface NodeStore {
  /** False when the name is taken, in capitals or not. */
  create(node: {
    name: string;
    owner: string;
    labels: Readonly<Record<string, string>>;
    /** Null: it joins without a token. */
    tokenSha256: string | null;
    tokenExpiresAtMs: number | null;
    createdAtMs: number;
  }): Promise<boolean>;
  /** Another enrolment token for a node that exists; an unused one stops working. False when there is no such node. */
  renewEnrolment(name: string, tokenSha256: string, expiresAtMs: number): Promise<boolean>;
  /** Whether {@link redeem} would take the token now; changes nothing. */
  hasEnrolment(name: string, tokenSha256: string, nowMs: number): Promise<boolean>;
  /**
   * Takes the enrolment token and puts the credential in force, once: of several calls with one token one answers true.
   * The lease moves on, so that the holder of an earlier credential is fenced.
   */
  redeem(request: {
    name: string;
    tokenSha256: string;
    credentialId: string;
    nowMs: number;
  }): Promise<boolean>;
  /**
   * The next epoch of the name, for who holds its credential (null: for a node that has none). Undefined when the
   * credential is not in force.
   */
  acquireLease(request: {
    name: string;
    credentialId: string | null;
    kind: 'gantry' | 'original';
    holder: LeaseHolder;
    nowMs: number;
  }): Promise<number | undefined>;
  /** The node has left. False when the lease is no longer the newest. */
  releaseLease(name: string, leaseEpoch: number, nowMs: number): Promise<boolean>;
  /** Writes down that the node is there. False when the lease is no longer the newest, or was revoked. */
  touch(name: string, leaseEpoch: number, nowMs: number): Promise<boolean>;
  /** False when the lease is no longer the newest. */
  saveReport(name: string, leaseEpoch: number, report: AgentInfo): Promise<boolean>;
  find(name: string): Promise<EdgeNode | undefined>;
  /** By name. */
  list(page: PageRequest): Promise<Page<EdgeNode>>;
  countOwnedBy(owner: string): Promise<number>;
  /** False when there is no such node. */
  setGrants(name: string, grants: readonly NodeGrant[]): Promise<boolean>;
  /**
   * Answers the document with its new revision; undefined when there is no such node.
   * @throws {AppError} precondition-failed when the settings have another revision than `expectedRevision` (0: none yet)
   */
  setSettings(
    name: string,
    settings: Omit<AgentConfigDocument, 'revision'>,
    expectedRevision?: number,
  ): Promise<AgentConfigDocument | undefined>;
  /** Ends credential, enrolment token and lease. False when there is no such node. */
  revoke(name: string): Promise<boolean>;
  /** False when there was none. */
  remove(name: string): Promise<boolean>;
}

/** Settings of all nodes that have a label, by its text: `site=lab`. */
export interface LabelSettingsStore {
  /** All of them, by label. */
  list(): Promise<readonly { readonly label: string; readonly settings: AgentConfigDocument }[]>;
  /**
   * Answers the document with its new revision.
   * @throws {AppError} precondition-failed when there is another revision than the expected (0: none yet) ·
   * quota-exceeded
   */
  set(
    label: string,
    settings: Omit<AgentConfigDocument, 'revision'>,
    options: { readonly expectedRevision: number | undefined; readonly maxLabels: number },
  ): Promise<AgentConfigDocument>;
  /** False when there were none. */
  remove(label: string): Promise<boolean>;
}

/** What a bridge keeps. */
export interface BridgeStore {
  readonly nodes: NodeStore;
  readonly labelSettings: LabelSettingsStore;
  /** Its own keys, for credentials of nodes and statements to them: no user's token is signed with one. */
  readonly bridgeKeys: KeyStore;
}

/** What a cloud frontend keeps. */
export interface CloudStore {
  readonly accounts: AccountStore;
  readonly documents: DocumentStore;
  readonly clusters: ClusterStore;
  readonly keys: KeyStore;
  readonly tokens: TokenLog;
}

/** What an edge cluster keeps. */
export interface EdgeStore {
  readonly executions: ExecutionStore;
  readonly payloads: PayloadStore;
}

/** What a store says of itself; safe to print. */
export interface StoreInfo {
  readonly kind: 'libsql' | 'postgres';
  /** The file, or host, port and database; never a credential. */
  readonly location: string;
  /** The newest migration that was applied. */
  readonly migrationVersion: string;
}

/** One database with all of them; `openStore` makes it. */
export interface Store extends CloudStore, EdgeStore, BridgeStore {
  readonly info: StoreInfo;
  /** Answers when the store can be read and written. @throws {AppError} store-unavailable */
  check(): Promise<void>;
  close(): Promise<void>;
}
