import { z } from 'zod';
import { documentIdSchema } from '../documents.js';
import {
  acceptedSchema,
  execResultSchema,
  executionModes,
  executionStatuses,
  executionViewSchema,
} from '../executions.js';
import { flavourViewSchema } from '../flavours.js';
import { scaledSchema, targetCardinalitySchema } from '../scaling.js';
import { pageOf, pageQuerySchema, type RouteContract } from './route-contract.js';

/** Largest body of an execution: 20 MB of data in base64 fits, with its JSON. */
export const parametersLimitBytes = 32 * 1024 * 1024;

const executionParams = z.object({ id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/) });

/** Every route of the edge frontend. */
export const edgeApi = {
  executeFunction: {
    method: 'post',
    path: '/v1/functions/{id}/execute',
    summary: 'Execute a function on the flavour of a requirement',
    tag: 'executions',
    auth: 'token',
    params: z.object({ id: documentIdSchema }),
    query: z.object({ app_req_id: documentIdSchema, mode: z.enum(executionModes) }),
    body: z.array(z.string()).meta({ description: 'One base64 string per parameter' }),
    bodyLimitBytes: parametersLimitBytes,
    responses: {
      200: {
        description: 'The result; a failing function answers 200 with ret_code -1',
        schema: execResultSchema,
      },
      202: { description: 'Accepted; read it at Location', schema: acceptedSchema },
    },
    problems: [
      'document-not-found',
      'body-too-large',
      'too-many-requests',
      'too-many-concurrent',
      'no-runtime-for-flavour',
      'language-unavailable',
      'queue-full',
      'broker-unavailable',
      'store-unavailable',
      'cloud-unavailable',
      'edge-overloaded',
      'queue-timeout',
    ],
  },
  readExecution: {
    method: 'get',
    path: '/v1/executions/{id}',
    summary: 'Read an execution; `wait` long-polls until it ends',
    tag: 'executions',
    auth: 'token',
    params: executionParams,
    query: z.object({
      wait: z.coerce.number().min(0).max(60).default(0).meta({ description: 'Seconds to wait for the end' }),
    }),
    responses: { 200: { description: 'The execution', schema: executionViewSchema } },
    problems: ['execution-not-found', 'result-expired', 'store-unavailable'],
  },
  listExecutions: {
    method: 'get',
    path: '/v1/executions',
    summary: 'Own executions, newest first',
    tag: 'executions',
    auth: 'token',
    query: pageQuerySchema.extend({
      status: z.enum(executionStatuses).optional(),
      function_id: documentIdSchema.optional(),
      flavour: z.string().max(128).optional(),
      from: z.iso.datetime({ offset: true }).optional(),
      to: z.iso.datetime({ offset: true }).optional(),
    }),
    responses: {
      200: { description: 'A page, without results', schema: pageOf(executionViewSchema) },
    },
    problems: ['store-unavailable'],
  },
  cancelExecution: {
    method: 'delete',
    path: '/v1/executions/{id}',
    summary: 'Cancel an execution, queued or running',
    tag: 'executions',
    auth: 'token',
    params: executionParams,
    responses: { 202: { description: 'It will be cancelled', schema: acceptedSchema } },
    problems: ['execution-not-found', 'execution-finished', 'result-expired', 'store-unavailable'],
  },
  readExecutionLogs: {
    method: 'get',
    path: '/v1/executions/{id}/logs',
    summary: 'What the function wrote, up to 64 KiB',
    tag: 'executions',
    auth: 'token',
    params: executionParams,
    responses: {
      200: { description: 'The log', contentType: 'text/plain', schema: z.string() },
    },
    problems: ['execution-not-found', 'result-expired', 'store-unavailable'],
  },
  listFlavours: {
    method: 'get',
    path: '/v1/flavours',
    summary: 'Flavours of the cluster: what they offer and allow, and how they are doing',
    tag: 'flavours',
    auth: 'token',
    responses: {
      200: { description: 'In the order of the configuration', schema: z.array(flavourViewSchema) },
    },
  },
  reportDeviceMetrics: {
    method: 'post',
    path: '/v1/device_metrics',
    summary: "A device's own figures; numbers become metrics",
    tag: 'devices',
    auth: 'token',
    body: z.record(z.string(), z.unknown()),
    bodyOptional: true,
    responses: { 200: { description: 'null', schema: z.null() } },
  },
  scaleRuntimes: {
    method: 'post',
    path: '/v1/scale',
    summary: 'Start or drain runtimes of a flavour until there are as many as asked for; administrators',
    tag: 'runtimes',
    auth: 'administrator',
    query: z.object({
      target_cardinality: targetCardinalitySchema,
      flavour: z.string().max(64).optional().meta({ description: 'Needed when several are served' }),
    }),
    responses: { 200: { description: 'As many as asked for take executions', schema: scaledSchema } },
    problems: ['scaling-in-progress', 'scaling-disabled', 'scaling-failed', 'scaling-timeout'],
  },
  fetchPayload: {
    method: 'get',
    path: '/internal/v1/payloads/{sha256}',
    summary: 'Function code, or parameters too large for a message, by their sha256; for runtimes',
    tag: 'internal',
    auth: 'runtime',
    params: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
    responses: {
      200: { description: 'The bytes', contentType: 'application/octet-stream', schema: z.string() },
    },
    problems: ['payload-not-found'],
  },
} as const satisfies Record<string, RouteContract>;
