import type { ClusterReport, Principal } from '@gantry/contracts';
import { AppError, isAppError, isDeadlineError, withDeadline } from '@gantry/kernel';
import type { Found, StoredFunction } from '@gantry/store';
import type { VerifyingKey } from '@gantry/tokens';
import type { CloudLink, RequirementOfOwner } from '../../ports.js';

/** What a cloud frontend in the same process offers. */
export interface CloudInProcess {
  readKeys(): Promise<readonly VerifyingKey[]>;
  readRevoked(): Promise<readonly string[]>;
  readFunction(id: number, principal: Principal): Promise<Found<StoredFunction>>;
  readRequirement(id: number, principal: Principal): Promise<Found<RequirementOfOwner>>;
  readCode(id: number, principal: Principal): Promise<Uint8Array | undefined>;
  reportCluster(name: string, enrolmentToken: string, report: ClusterReport): Promise<void>;
}

const timeoutMs = 3000;

/** The cloud frontend of the same process, called directly. */
export function linkInProcess(
  cloud: CloudInProcess,
  cluster: { readonly name: string; readonly enrolmentToken: string },
): CloudLink {
  return {
    readKeys: () => ask('the keys', cloud.readKeys()),
    readRevoked: () => ask('the revocations', cloud.readRevoked()),
    readFunction: (id, { principal }) => ask('a function', cloud.readFunction(id, principal)),
    readRequirement: (id, { principal }) => ask('a requirement', cloud.readRequirement(id, principal)),
    readCode: (id, { principal }) => ask('the code of a function', cloud.readCode(id, principal)),
    reportCluster: (report) =>
      ask('the report of the cluster', cloud.reportCluster(cluster.name, cluster.enrolmentToken, report)),
  };
}

/** Its store not answering is, from here, the cloud not answering. */
async function ask<T>(what: string, answer: Promise<T>): Promise<T> {
  try {
    return await withDeadline(answer, timeoutMs, what);
  } catch (cause) {
    if (isDeadlineError(cause) || (isAppError(cause) && cause.code === 'store-unavailable'))
      throw new AppError('cloud-unavailable', `The cloud frontend does not answer for ${what}`, { cause });
    throw cause;
  }
}
