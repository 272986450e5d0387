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
