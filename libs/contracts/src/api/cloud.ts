import { z } from 'zod';
import { accountNameSchema, accountViewSchema, newAccountSchema, newPasswordSchema } from '../accounts.js';
import {
  clusterNameSchema,
  clusterOfferSchema,
  clusterReportSchema,
  clusterViewSchema,
  publicKeySchema,
} from '../clusters.js';
import {
  documentIdSchema,
  functionUploadSchema,
  functionViewSchema,
  requirementSchema,
} from '../documents.js';
import { pageOf, pageQuerySchema, type RouteContract } from './route-contract.js';

const idParams = z.object({ id: documentIdSchema });
const documentId = z.number().int().meta({ description: 'Document id, from 1 up' });
const requirementWithId = requirementSchema.extend({ id: z.number().int() });
/** Base64 of the largest function, with room for its JSON. */
const uploadLimitBytes = 32 * 1024 * 1024;

/**
 * Headers of an answered requirement: what edge frontends need and its body, which is the original's, cannot say.
 * (The body shows MAX_FUNCTION_EXECUTION_TIME with its default filled in, which is not a limit that was asked for.)
 */
export const requirementHeaders = {
  owner: 'x-gantry-owner',
  maxRunMs: 'x-gantry-max-run-ms',
  warning: 'gantry-warning',
} as const;
const warningHeader = {
  [requirementHeaders.warning]:
    'Keys that were ignored and look mistyped, in words; absent when there are none',
};

/** Every route of the cloud frontend. */
export const cloudApi = {
  authenticate: {
    method: 'post',
    path: '/v1/authenticate',
    summary: 'Sign in; answers a token as a bare JSON string',
    tag: 'tokens',
    auth: 'basic',
    responses: { 201: { description: 'The token', schema: z.string().max(504) } },
    problems: ['not-authenticated', 'invalid-credentials', 'too-many-sign-ins', 'too-many-requests'],
  },
  publicKey: {
    method: 'get',
    path: '/v1/public_key',
    summary: 'The key that verifies new tokens: 64 lower-case hex characters',
    tag: 'tokens',
    auth: 'none',
    responses: { 200: { description: 'The key', schema: z.string().regex(/^[0-9a-f]{64}$/) } },
  },
  publicKeys: {
    method: 'get',
    path: '/v1/public_keys',
    summary: 'Every live key with its id',
    tag: 'tokens',
    auth: 'none',
    responses: { 200: { description: 'The keys', schema: z.array(publicKeySchema) } },
  },
  rotateKey: {
    method: 'post',
    path: '/v1/public_keys',
    summary: 'Add a signing key; tokens of the older keys live until they expire',
    tag: 'tokens',
    auth: 'administrator',
    responses: { 201: { description: 'The new key', schema: publicKeySchema } },
  },
  revocations: {
    method: 'get',
    path: '/v1/revocations',
    summary: 'Revocation ids of revoked tokens that have not expired',
    tag: 'tokens',
    auth: 'none',
    responses: {
      200: { description: 'Hex revocation ids', schema: z.object({ revocation_ids: z.array(z.string()) }) },
    },
  },
  revokeToken: {
    method: 'post',
    path: '/v1/revocations',
    summary: 'Revoke a token by one of its revocation ids (administrators: any; others: their own)',
    tag: 'tokens',
    auth: 'token',
    body: z.strictObject({
      revocation_id: z.string().regex(/^[0-9a-f]{128,144}$/, 'must be a revocation id in hex'),
    }),
    responses: { 204: { description: 'Revoked' } },
    problems: ['forbidden'],
  },
  createRequirement: {
    method: 'post',
    path: '/v1/app_requirements',
    summary: 'Store a requirement',
    tag: 'documents',
    auth: 'token',
    body: requirementSchema,
    responses: { 200: { description: 'Its id', schema: documentId, headers: warningHeader } },
  },
  listRequirements: {
    method: 'get',
    path: '/v1/app_requirements',
    summary: 'Own requirements',
    tag: 'documents',
    auth: 'token',
    query: pageQuerySchema,
    responses: { 200: { description: 'A page', schema: pageOf(requirementWithId) } },
  },
  readRequirement: {
    method: 'get',
    path: '/v1/app_requirements/{id}',
    summary: 'Read a requirement',
    tag: 'documents',
    auth: 'token',
    params: idParams,
    responses: {
      200: {
        description: 'The requirement',
        schema: requirementSchema,
        headers: {
          [requirementHeaders.owner]: 'Whose it is (encoded as in a URL)',
          [requirementHeaders.maxRunMs]:
            'The run limit that the client sent, in milliseconds; absent when it sent none',
        },
      },
    },
    problems: ['document-not-found', 'wrong-document-type'],
  },
  replaceRequirement: {
    method: 'put',
    path: '/v1/app_requirements/{id}',
    summary: 'Replace a requirement',
    tag: 'documents',
    auth: 'token',
    params: idParams,
    body: requirementSchema,
    responses: { 200: { description: 'null', schema: z.null(), headers: warningHeader } },
    problems: ['document-not-found', 'wrong-document-type'],
  },
  deleteRequirement: {
    method: 'delete',
    path: '/v1/app_requirements/{id}',
    summary: 'Delete a requirement',
    tag: 'documents',
    auth: 'token',
    params: idParams,
    responses: { 204: { description: 'Deleted' } },
    problems: ['document-not-found', 'wrong-document-type'],
  },
  chooseClusters: {
    method: 'get',
    path: '/v1/app_requirements/{id}/ec_fe',
    summary: 'Edge clusters that meet the requirement, nearest first',
    tag: 'clusters',
    auth: 'token',
    params: idParams,
    responses: { 200: { description: 'At least one cluster', schema: z.array(clusterOfferSchema) } },
    problems: ['document-not-found', 'cluster-not-found'],
  },
  uploadFunction: {
    method: 'post',
    path: '/v1/daas/upload',
    summary: 'Store a function; the same function again answers the same id',
    tag: 'documents',
    auth: 'token',
    body: functionUploadSchema,
    bodyLimitBytes: uploadLimitBytes,
    responses: { 200: { description: 'Its id', schema: documentId } },
    problems: ['unsupported-language', 'quota-exceeded', 'token-revoked'],
  },
  listFunctions: {
    method: 'get',
    path: '/v1/functions',
    summary: 'Own functions',
    tag: 'documents',
    auth: 'token',
    query: pageQuerySchema,
    responses: { 200: { description: 'A page', schema: pageOf(functionViewSchema) } },
  },
  readFunction: {
    method: 'get',
    path: '/v1/functions/{id}',
    summary: 'Read a function, without its code',
    tag: 'documents',
    auth: 'token',
    params: idParams,
    responses: { 200: { description: 'The function', schema: functionViewSchema } },
    problems: ['document-not-found'],
  },
  readFunctionCode: {
    method: 'get',
    path: '/v1/functions/{id}/code',
    summary: "A function's code, as uploaded and decoded",
    tag: 'documents',
    auth: 'token',
    params: idParams,
    responses: {
      200: { description: 'The code', contentType: 'application/octet-stream', schema: z.string() },
    },
    problems: ['document-not-found'],
  },
  deleteFunction: {
    method: 'delete',
    path: '/v1/functions/{id}',
    summary: 'Delete a function',
    tag: 'documents',
    auth: 'token',
    params: idParams,
    responses: { 204: { description: 'Deleted' } },
    problems: ['document-not-found'],
  },
  reportLatency: {
    method: 'post',
    path: '/v1/latency',
    summary: "A device's measured latencies to edge clusters",
    tag: 'clusters',
    auth: 'token',
    body: z.unknown(),
    bodyOptional: true,
    responses: { 200: { description: 'null', schema: z.null() } },
  },
  listClusters: {
    method: 'get',
    path: '/v1/clusters',
    summary: 'Edge clusters and when they were last seen',
    tag: 'clusters',
    auth: 'token',
    responses: { 200: { description: 'The clusters', schema: z.array(clusterViewSchema) } },
  },
  enrolCluster: {
    method: 'post',
    path: '/v1/clusters',
    summary: 'Make an enrolment token for an edge cluster; it is shown once',
    tag: 'clusters',
    auth: 'administrator',
    body: z.strictObject({ name: clusterNameSchema }),
    responses: {
      201: {
        description: 'The token',
        schema: z.object({ name: clusterNameSchema, enrolment_token: z.string() }),
      },
    },
  },
  reportCluster: {
    method: 'put',
    path: '/v1/clusters/{name}',
    summary: 'Register an edge cluster, and its heartbeat',
    tag: 'clusters',
    auth: 'enrolment',
    params: z.object({ name: clusterNameSchema }),
    body: clusterReportSchema,
    responses: { 204: { description: 'Seen' } },
  },
  removeCluster: {
    method: 'delete',
    path: '/v1/clusters/{name}',
    summary: 'Remove an edge cluster and its enrolment token',
    tag: 'clusters',
    auth: 'administrator',
    params: z.object({ name: clusterNameSchema }),
    responses: { 204: { description: 'Removed' } },
    problems: ['cluster-not-found'],
  },
  createAccount: {
    method: 'post',
    path: '/v1/accounts',
    summary: 'Create an account',
    tag: 'accounts',
    auth: 'administrator',
    body: newAccountSchema,
    responses: { 201: { description: 'The account', schema: accountViewSchema } },
    problems: ['account-exists', 'too-many-requests'],
  },
  listAccounts: {
    method: 'get',
    path: '/v1/accounts',
    summary: 'Accounts by name',
    tag: 'accounts',
    auth: 'administrator',
    query: pageQuerySchema,
    responses: { 200: { description: 'A page', schema: pageOf(accountViewSchema) } },
  },
  deleteAccount: {
    method: 'delete',
    path: '/v1/accounts/{name}',
    summary: 'Delete an account, its documents, and revoke its tokens',
    tag: 'accounts',
    auth: 'administrator',
    params: z.object({ name: accountNameSchema }),
    responses: { 204: { description: 'Deleted' } },
    problems: ['account-not-found', 'last-administrator'],
  },
  setAccountPassword: {
    method: 'put',
    path: '/v1/accounts/{name}/password',
    summary: "Set another account's password and revoke its tokens",
    tag: 'accounts',
    auth: 'administrator',
    params: z.object({ name: accountNameSchema }),
    body: newPasswordSchema.omit({ current_password: true }),
    responses: { 204: { description: 'Changed' } },
    problems: ['account-not-found', 'too-many-requests'],
  },
  setOwnPassword: {
    method: 'put',
    path: '/v1/accounts/me/password',
    summary: 'Change the own password and revoke all own tokens',
    tag: 'accounts',
    auth: 'token',
    body: newPasswordSchema,
    responses: { 204: { description: 'Changed' } },
    problems: ['invalid-credentials', 'too-many-sign-ins', 'too-many-requests'],
  },
} as const satisfies Record<string, RouteContract>;
