import {
  type ProblemCode,
  problemSchema,
  problems,
  type ResponseContract,
  type RouteContract,
} from '@gantry/contracts';
import { z } from 'zod';
import type { Route } from './route.js';

type Json = Record<string, unknown>;

/** Problems that any route of a kind can answer. */
const commonProblems = (contract: RouteContract): ProblemCode[] => [
  'internal-error',
  ...((contract.params ?? contract.query ?? contract.body) ? (['invalid-request'] as const) : []),
  ...(contract.body === undefined ? [] : (['body-too-large'] as const)),
  ...(contract.auth === 'token' || contract.auth === 'administrator'
    ? ([
        'missing-token',
        'invalid-token',
        'token-expired',
        'token-revoked',
        'token-too-complex',
        'verifier-busy',
      ] as const)
    : []),
  ...(contract.auth === 'administrator' ? (['forbidden'] as const) : []),
  ...(contract.auth === 'enrolment' || contract.auth === 'runtime'
    ? (['invalid-service-credential'] as const)
    : []),
  'shutting-down',
  'store-unavailable',
];

/**
 * The OpenAPI 3.1 document of a service, generated from the contracts of its routes.
 * @see https://spec.openapis.org/oas/v3.1.0
 */
export function buildOpenApi(options: {
  title: string;
  version: { version: string };
  routes: readonly Route[];
}): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const { contract } of options.routes) {
    const path = paths[contract.path] ?? {};
    path[contract.method] = toOperation(contract, schemas);
    paths[contract.path] = path;
  }
  // Named, so it enters `schemas` by itself.
  toSchema(problemSchema, 'output', schemas);
  return {
    openapi: '3.1.0',
    info: {
      title: options.title,
      version: options.version.version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '.' }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        token: { type: 'apiKey', in: 'header', name: 'token' },
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'basic' },
      },
    },
  };
}

function toOperation(contract: RouteContract, schemas: Json): Json {
  const responses: Json = {};
  for (const [status, response] of Object.entries(contract.responses))
    responses[status] = toResponse(response, schemas);
  const codes = [...commonProblems(contract), ...(contract.problems ?? [])];
  for (const [status, text] of problemsByStatus(codes))
    responses[status] ??= {
      description: text,
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    };
  return {
    summary: contract.summary,
    operationId: `${contract.method}${contract.path.replaceAll(/[^A-Za-z0-9]+(\w?)/g, (_all, letter: string) => letter.toUpperCase())}`,
    tags: [contract.tag],
    ...securityOf(contract),
    parameters: [
      ...toParameters('path', contract.params, schemas),
      ...toParameters('query', contract.query, schemas),
    ],
    ...(contract.body === undefined
      ? {}
      : {
          requestBody: {
            required: contract.bodyOptional !== true,
            content: { 'application/json': { schema: toSchema(contract.body, 'input', schemas) } },
          },
        }),
    responses,
  };
}

function toResponse(response: ResponseContract, schemas: Json): Json {
  if (response.schema === undefined) return { description: response.description };
  const schema = toSchema(response.schema, 'output', schemas);
  return {
    description: response.description,
    content: { [response.contentType ?? 'application/json']: { schema } },
  };
}

function problemsByStatus(codes: readonly ProblemCode[]): Map<string, string> {
  const byStatus = new Map<string, string>();
  for (const code of new Set(codes)) {
    const status = String(problems[code].status);
    const before = byStatus.get(status);
    byStatus.set(status, `${before === undefined ? '' : `${before}, `}\`${code}\``);
  }
  return byStatus;
}

function securityOf(contract: RouteContract): Json {
  switch (contract.auth) {
    case 'none':
      return { security: [] };
    case 'basic':
      return { security: [{ basic: [] }] };
    case 'token':
    case 'administrator':
      return { security: [{ token: [] }, { bearer: [] }] };
    case 'enrolment':
    case 'runtime':
      return { security: [{ bearer: [] }] };
  }
}

function toParameters(where: 'path' | 'query', schema: z.ZodObject | undefined, schemas: Json): Json[] {
  if (schema === undefined) return [];
  return Object.entries(schema.shape).map(([name, field]) => ({
    name,
    in: where,
    required: where === 'path' || !field.safeParse(undefined).success,
    schema: toSchema(field as z.ZodType, 'input', schemas),
  }));
}

/** JSON Schema 2020-12 of a zod schema; named ones (`meta({ id })`) go to `schemas` and are referred to. */
function toSchema(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const { $schema: _, $defs: defs, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;
  const rename = (name: string) => (io === 'input' ? `${name}Input` : name);
  for (const [name, definition] of Object.entries((defs ?? {}) as Json))
    schemas[rename(name)] ??= withReferences(definition, rename);
  return withReferences(rest, rename) as Json;
}

function withReferences(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => withReferences(item, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !(key === 'id' && typeof item === 'string'))
      .map(([key, item]) =>
        key === '$ref' && typeof item === 'string'
          ? [key, `#/components/schemas/${rename(item.replace('#/$defs/', ''))}`]
          : [key, withReferences(item, rename)],
      ),
  );
}
