import { cloudApi, edgeApi, type RouteContract } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { buildOpenApi } from './openapi.js';
import { type Route, route } from './route.js';

interface Answer {
  description: string;
  content?: Record<string, { schema: unknown }>;
}
interface Operation {
  operationId: string;
  summary: string;
  security?: Record<string, unknown>[];
  parameters: { name: string; in: string; required: boolean; schema: unknown }[];
  requestBody?: { required: boolean; content: Record<string, { schema: unknown }> };
  responses: Record<string, Answer | undefined>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
}

const toRoutes = (api: Readonly<Record<string, RouteContract>>): Route[] =>
  Object.values(api).map((contract) => route(contract, () => ({ status: 200 })));
const build = (api: Readonly<Record<string, RouteContract>>) =>
  buildOpenApi({
    title: 'Test',
    version: { version: '1.0.0' },
    routes: toRoutes(api),
  }) as unknown as Document;

function operationAt(document: Document, { path, method }: RouteContract): Operation {
  const operation = Object.entries(document.paths[path] ?? {}).find(([name]) => name === method)?.[1];
  if (operation === undefined) throw new Error(`The document has no ${method} ${path}`);
  return operation;
}

/** The skeleton that OpenAPI 3.1 prescribes, as far as we write it. */
const shape = {
  type: 'object',
  required: ['openapi', 'info', 'paths', 'components'],
  additionalProperties: false,
  properties: {
    openapi: { const: '3.1.0' },
    info: { type: 'object', required: ['title', 'version', 'license'] },
    servers: { type: 'array', items: { type: 'object', required: ['url'] } },
    components: {
      type: 'object',
      properties: {
        schemas: { type: 'object', propertyNames: { pattern: '^[A-Za-z0-9._-]+$' } },
        securitySchemes: { type: 'object' },
      },
    },
    paths: {
      type: 'object',
      propertyNames: { pattern: '^/' },
      additionalProperties: {
        type: 'object',
        propertyNames: { enum: ['get', 'post', 'put', 'delete'] },
        additionalProperties: {
          type: 'object',
          required: ['operationId', 'summary', 'tags', 'parameters', 'responses'],
          properties: {
            operationId: { type: 'string', pattern: '^[a-z][A-Za-z0-9]+$' },
            parameters: {
              type: 'array',
              items: {
                type: 'object',
                required: ['name', 'in', 'required', 'schema'],
                properties: { in: { enum: ['path', 'query'] } },
                if: { properties: { in: { const: 'path' } } },
                // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
                then: { properties: { required: { const: true } } },
              },
            },
            requestBody: { type: 'object', required: ['content'] },
            responses: {
              type: 'object',
              minProperties: 2,
              propertyNames: { pattern: '^[1-5][0-9]{2}$' },
              additionalProperties: { type: 'object', required: ['description'] },
            },
          },
        },
      },
    },
  },
};

describe.each([
  ['cloud', cloudApi],
  ['edge', edgeApi],
] as [string, Readonly<Record<string, RouteContract>>][])(
  'the OpenAPI document of the %s frontend',
  (_name, api) => {
    const document = build(api);
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );

    it('has the structure of OpenAPI 3.1', () => {
      const ajv = new Ajv2020({ allErrors: true, strictRequired: false, strictTypes: false });
      const validate = ajv.compile(shape);
      validate(document);
      expect(validate.errors).toBeNull();
    });

    it('has an operation for every route, with an id of its own', () => {
      expect(operations).toHaveLength(Object.keys(api).length);
      const ids = operations.map(({ operation }) => operation.operationId);
      expect(new Set(ids).size).toBe(ids.length);
    });

    it('declares each parameter that its path names, and only those', () => {
      for (const { path, operation } of operations) {
        const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
        const declared = operation.parameters.filter((one) => one.in === 'path').map(({ name }) => name);
        expect(declared).toEqual(named);
      }
    });

    it('refers only to schemas and security schemes that exist', () => {
      const text = JSON.stringify(document);
      const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
      expect(references.length).toBeGreaterThan(0);
      for (const reference of references) {
        expect(reference).toMatch(/^#\/components\/schemas\//);
        expect(document.components.schemas).toHaveProperty([reference.replace('#/components/schemas/', '')]);
      }
      for (const { operation } of operations)
        for (const scheme of operation.security ?? [])
          expect(Object.keys(document.components.securitySchemes)).toEqual(
            expect.arrayContaining(Object.keys(scheme)),
          );
    });

    it('has only schemas that JSON Schema 2020-12 accepts, with `id` kept where it is a property', () => {
      const ajv = new Ajv2020({ strict: false, validateFormats: false });
      ajv.addSchema({ $id: 'document', ...document });
      for (const name of Object.keys(document.components.schemas))
        expect(() => ajv.getSchema(`document#/components/schemas/${name}`)).not.toThrow();
      for (const { operation } of operations)
        for (const response of Object.values(operation.responses))
          for (const { schema } of Object.values(response?.content ?? {})) {
            const local = JSON.parse(
              JSON.stringify(schema).replaceAll('#/components', 'document#/components'),
            );
            expect(() => ajv.compile(local)).not.toThrow();
          }
    });

    it('says which problems can come, and how callers are known', () => {
      for (const contract of Object.values(api)) {
        const operation = operationAt(document, contract);
        expect(operation.responses['500']?.content).toHaveProperty(['application/problem+json']);
        const schemes = (operation.security ?? []).flatMap((scheme) => Object.keys(scheme));
        const expected = { none: [], basic: ['basic'], enrolment: ['bearer'], runtime: ['bearer'] } as const;
        expect(schemes).toEqual(
          contract.auth === 'token' || contract.auth === 'administrator'
            ? ['token', 'bearer']
            : expected[contract.auth],
        );
      }
    });
  },
);

describe('what the documents say of single routes', () => {
  it('required and optional query parameters of an execution', () => {
    const execute = operationAt(build(edgeApi), edgeApi.executeFunction);
    expect(execute.parameters.map(({ name, required }) => [name, required])).toEqual([
      ['id', true],
      ['app_req_id', true],
      ['mode', true],
    ]);
    const list = operationAt(build(edgeApi), edgeApi.listExecutions);
    expect(list.parameters.every(({ required }) => !required)).toBe(true);
  });

  it('a response schema accepts what its route answers and refuses what it never answers', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const document = build(edgeApi);
    ajv.addSchema({ $id: 'document', ...document });
    const validate = ajv.getSchema('document#/components/schemas/ExecResult');
    expect(validate?.({ ret_code: 0, res: 'MQ==', err: null })).toBe(true);
    expect(validate?.({ ret_code: 0, res: 'MQ==' })).toBe(false);
  });

  it('a schema with a property called id keeps it', () => {
    const { components } = build(cloudApi);
    expect(components.schemas['Function']).toMatchObject({ properties: { id: { type: 'integer' } } });
  });
});
