import {
  type ClusterReport,
  cloudApi,
  functionViewSchema,
  publicKeySchema,
  requirementHeaders,
  storedRequirementSchema,
  toRequirement,
} from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { Found, StoredFunction } from '@gantry/store';
import { z } from 'zod';
import type { CloudLink, DocumentReader, RequirementOfOwner } from '../../ports.js';
import { type CloudAnswer, CloudClient } from './cloud-client.js';

export interface CloudHttpOptions {
  /** Without a slash at the end. */
  readonly cloudUrl: string;
  readonly name: string;
  readonly enrolmentToken: string;
  /** Of one request; codes of functions get ten times as long. Default 2000. */
  readonly timeoutMs?: number;
}

const publicKeysSchema = z.array(publicKeySchema);
const revocationsSchema = cloudApi.revocations.responses[200].schema;

/**
 * A cloud frontend over HTTP. Documents are read with the caller's own token, so that the cloud decides what the
 * caller may see. Each kind of question has a breaker of its own: trouble with one leaves the others alone.
 */
export function linkOverHttp(options: CloudHttpOptions): CloudLink {
  const { cloudUrl, name, enrolmentToken, timeoutMs = 2000 } = options;
  const documents = new CloudClient('documents', cloudUrl, timeoutMs);
  const codes = new CloudClient('code', cloudUrl, timeoutMs * 10);
  const trust = new CloudClient('keys', cloudUrl, timeoutMs);
  const reports = new CloudClient('cluster reports', cloudUrl, timeoutMs);
  const asCaller = ({ token }: DocumentReader) => ({ headers: { token } });
  return {
    readKeys: async () => {
      const keys = parse(publicKeysSchema, await trust.ask('/v1/public_keys'));
      return keys.map(({ id, public_key }) => ({ id, publicKey: public_key })).sort((a, b) => a.id - b.id);
    },
    readRevoked: async () => parse(revocationsSchema, await trust.ask('/v1/revocations')).revocation_ids,
    readFunction: async (id, reader) =>
      toFunction(await documents.ask(`/v1/functions/${id}`, asCaller(reader))),
    readRequirement: async (id, reader) =>
      toRequirementOfOwner(await documents.ask(`/v1/app_requirements/${id}`, asCaller(reader)), reader),
    readCode: async (id, reader) => {
      const answer = await codes.ask(`/v1/functions/${id}/code`, asCaller(reader));
      return answer.status === 200 ? answer.bytes : undefined;
    },
    reportCluster: async (report: ClusterReport) => {
      await reports.ask(`/v1/clusters/${encodeURIComponent(name)}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${enrolmentToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(report),
      });
    },
  };
}

function toFunction(answer: CloudAnswer): Found<StoredFunction> {
  if (answer.status !== 200) return { kind: answer.status === 405 ? 'wrong-type' : 'missing' };
  const view = parse(functionViewSchema, answer);
  return {
    kind: 'found',
    document: {
      id: view.id,
      owner: view.owner,
      name: view.name ?? undefined,
      language: view.LANG,
      clientHash: view.FC_HASH,
      sha256: view.sha256,
      sizeBytes: view.size_bytes,
      createdAtMs: Date.parse(view.created_at),
    },
  };
}

function toRequirementOfOwner(answer: CloudAnswer, { principal }: DocumentReader): Found<RequirementOfOwner> {
  if (answer.status !== 200) return { kind: answer.status === 405 ? 'wrong-type' : 'missing' };
  const requirement = toRequirement(parse(storedRequirementSchema, answer));
  const owner = answer.headers.get(requirementHeaders.owner);
  const maxRunMs = answer.headers.get(requirementHeaders.maxRunMs);
  return {
    kind: 'found',
    document: {
      owner: owner === null ? principal.user : decodeURIComponent(owner),
      // The body shows a default where the client sent nothing.
      requirement: { ...requirement, maxRunMs: maxRunMs === null ? undefined : Number(maxRunMs) },
    },
  };
}

function parse<S extends z.ZodType>(schema: S, { bytes, path }: CloudAnswer): z.output<S> {
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new AppError('cloud-unavailable', `The cloud frontend answered ${path} with something else`, {
      cause,
    });
  }
}
