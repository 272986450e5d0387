import type { ClusterReport, Principal } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { Found, StoredFunction, StoredRequirement } from '@gantry/store';
import type { VerifiedToken, VerifyingKey } from '@gantry/tokens';
import type { CloudDeps } from './deps.js';
import { enrolCluster } from './usecases/enrol-cluster.js';
import { keepEnrolment } from './usecases/keep-enrolment.js';
import { reportCluster } from './usecases/report-cluster.js';

/** What an edge frontend in the same process needs of the cloud frontend; over HTTP these are routes. */
export interface CloudSurface {
  /** Every live key, the newest last. @throws {AppError} store-unavailable before the start */
  readKeys(): Promise<readonly VerifyingKey[]>;
  /** @throws {AppError} invalid-token and its like */
  verifyToken(token: string): Promise<VerifiedToken>;
  /** Revocation ids (hex) of revoked, unexpired tokens. */
  readRevoked(): Promise<readonly string[]>;
  readFunction(id: number, principal: Principal): Promise<Found<StoredFunction>>;
  readRequirement(id: number, principal: Principal): Promise<Found<StoredRequirement>>;
  /** The decoded code; undefined when it is gone or not the principal's. */
  readCode(id: number, principal: Principal): Promise<Uint8Array | undefined>;
  /** @throws {AppError} invalid-service-credential */
  reportCluster(name: string, enrolmentToken: string, report: ClusterReport): Promise<void>;
  /** Answers a token for {@link CloudSurface.reportCluster}; an earlier one of this name stops working. */
  enrolCluster(name: string): Promise<string>;
  /**
   * Answers `keptToken` as long as it is the one of this name, else a new one.
   * @throws {Error} when another cluster reports under this name
   */
  keepEnrolment(name: string, keptToken: string | undefined): Promise<string>;
}

export const buildSurface = (deps: CloudDeps): CloudSurface => ({
  readKeys: async () => {
    const { keys } = deps.keyRing;
    // An empty list would read as "trust nobody".
    if (keys.length === 0) throw new AppError('store-unavailable', 'The signing keys are not loaded yet');
    return keys.map(({ id, publicKey }) => ({ id, publicKey }));
  },
  verifyToken: (token) => deps.keyRing.verify(token),
  readRevoked: () => deps.tokens.listRevoked(deps.clock.now()),
  readFunction: (id, principal) => deps.documents.findFunction(id, principal),
  readRequirement: (id, principal) => deps.documents.findRequirement(id, principal),
  readCode: (id, principal) => deps.documents.readCode(id, principal),
  reportCluster: (name, enrolmentToken, report) => reportCluster(deps, name, enrolmentToken, report),
  enrolCluster: (name) => enrolCluster(deps, name),
  keepEnrolment: (name, keptToken) => keepEnrolment(deps, name, keptToken),
});
