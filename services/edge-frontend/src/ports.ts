import type { ClusterReport, Principal, Requirement } from '@gantry/contracts';
import type { Found, StoredFunction } from '@gantry/store';
import type { VerifyingKey } from '@gantry/tokens';

/** On whose behalf a document is read: the cloud checks the token, the edge the principal. */
export interface DocumentReader {
  readonly principal: Principal;
  readonly token: string;
}

export interface RequirementOfOwner {
  readonly owner: string;
  readonly requirement: Requirement;
}

/**
 * What an edge cluster needs of the cloud frontend: in process when embedded, over HTTP otherwise. Every method has a
 * deadline and throws {AppError} `cloud-unavailable` when the cloud does not answer.
 */
export interface CloudLink {
  /** Every live key, the newest last. */
  readKeys(): Promise<readonly VerifyingKey[]>;
  /** Revocation ids (hex) of revoked, unexpired tokens. */
  readRevoked(): Promise<readonly string[]>;
  readFunction(id: number, reader: DocumentReader): Promise<Found<StoredFunction>>;
  readRequirement(id: number, reader: DocumentReader): Promise<Found<RequirementOfOwner>>;
  /** The decoded code of a function; undefined when it is gone. */
  readCode(functionId: number, reader: DocumentReader): Promise<Uint8Array | undefined>;
  /** Registration and heartbeat. @throws {AppError} invalid-service-credential */
  reportCluster(report: ClusterReport): Promise<void>;
}

/** What has to be known of tokens to verify them without the cloud. */
export interface TrustedKeys {
  readonly keys: readonly VerifyingKey[];
  readonly revoked: readonly string[];
}

/** Where {@link TrustedKeys} survive a restart. */
export interface TrustedKeysFile {
  /** Undefined when there is none, or when it cannot be read. */
  read(): Promise<TrustedKeys | undefined>;
  /** Replaces it whole; only its owner can read it. */
  write(trusted: TrustedKeys): Promise<void>;
}

/** Keeps as many runtimes of a flavour as it is told. */
export interface RuntimeScaler {
  /** Most runtimes of one flavour; one that still drains counts. */
  readonly maxRuntimes: number;
  /** Runtimes of the flavour that take executions or are about to. */
  countOf(flavour: string): Promise<number>;
  /**
   * Starts or drains runtimes until there are `count` (1 or more); resolves when the new ones take executions and the
   * others have ended. What did not end in time goes on draining and is not counted any more.
   * @throws {AppError} scaling-in-progress, scaling-failed with the reason, scaling-timeout, invalid-request
   */
  scaleTo(flavour: string, count: number, options: { readonly timeoutMs: number }): Promise<void>;
}

export interface FleetMember {
  readonly id: string;
  readonly isDraining: boolean;
}

/** Where runtimes are started and ended, one at a time: processes of a machine, parts of this process. */
export interface RuntimeFleet {
  readonly maxRuntimes: number;
  /** Oldest first, without those that are gone. */
  list(flavour: string): Promise<readonly FleetMember[]>;
  /**
   * Resolves once one more takes executions.
   * @throws {Error} the reason; a DeadlineError when the time was over. Nothing is left of it then.
   */
  start(flavour: string, options: { readonly timeoutMs: number }): Promise<void>;
  /** It takes nothing new and ends with what it runs. Answers whether it has ended in time; else it goes on draining. */
  drain(flavour: string, id: string, options: { readonly timeoutMs: number }): Promise<boolean>;
  /**
   * Keeps other programs from scaling the flavour, until the answer is called. Absent: there are none.
   * @throws {AppError} scaling-in-progress
   */
  claim?(flavour: string): () => void;
}
