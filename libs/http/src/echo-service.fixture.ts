import type { RouteContract } from '@gantry/contracts';
import { AppError, silentLogger } from '@gantry/kernel';
import { createMetrics } from '@gantry/telemetry';
import { z } from 'zod';
import type { AppOptions } from './app-options.js';
import { buildHttpApp } from './build-app.js';
import { route } from './route.js';
import { createHttpServer, type HttpServer } from './server.js';

const noteSchema = z.strictObject({
  text: z.string().min(2, 'must have two characters'),
  'a/b': z.array(z.number()).optional(),
});

const contracts = {
  echo: {
    method: 'post',
    path: '/v1/notes/{id}',
    summary: 'Echo a note',
    tag: 'notes',
    auth: 'token',
    params: z.object({ id: z.coerce.number().int().min(1) }),
    query: z.object({ mode: z.enum(['loud', 'quiet']).default('quiet') }),
    body: noteSchema,
    bodyLimitBytes: 1024,
    responses: { 200: { description: 'The note', schema: noteSchema.meta({ id: 'Note' }) } },
    problems: ['document-not-found', 'queue-full'],
  },
  read: {
    method: 'get',
    path: '/v1/notes/{id}',
    summary: 'Read a note',
    tag: 'notes',
    auth: 'none',
    params: z.object({ id: z.string() }),
    responses: { 200: { description: 'The text', contentType: 'text/plain', schema: z.string() } },
  },
  optional: {
    method: 'post',
    path: '/v1/optional',
    summary: 'A body or nothing',
    tag: 'notes',
    auth: 'none',
    body: z.record(z.string(), z.unknown()),
    bodyOptional: true,
    responses: { 200: { description: 'Whether there was one', schema: z.boolean() } },
  },
  signIn: {
    method: 'post',
    path: '/v1/sign-in',
    summary: 'Sign in',
    tag: 'callers',
    auth: 'basic',
    responses: { 201: { description: 'Name and password', schema: z.array(z.string()) } },
  },
  administer: {
    method: 'delete',
    path: '/v1/administer',
    summary: 'Administrators only',
    tag: 'callers',
    auth: 'administrator',
    responses: { 204: { description: 'Done' } },
  },
  enrol: {
    method: 'put',
    path: '/v1/enrol',
    summary: 'Clusters only',
    tag: 'callers',
    auth: 'enrolment',
    responses: { 200: { description: 'The enrolment token', schema: z.string() } },
  },
  runtime: {
    method: 'get',
    path: '/v1/runtime',
    summary: 'Runtimes only',
    tag: 'callers',
    auth: 'runtime',
    responses: { 204: { description: 'Done' } },
  },
  fail: {
    method: 'get',
    path: '/v1/fail/{how}',
    summary: 'Fails',
    tag: 'notes',
    auth: 'none',
    params: z.object({ how: z.string() }),
    responses: { 200: { description: 'never' } },
  },
  wait: {
    method: 'get',
    path: '/v1/wait',
    summary: 'Answers when it is released',
    tag: 'notes',
    auth: 'none',
    responses: { 200: { description: 'released', schema: z.string() } },
  },
} as const satisfies Record<string, RouteContract>;

/** A small service with one route of each kind, on a free port. */
export async function startEchoService(overrides: Partial<AppOptions> & { graceMs?: number } = {}) {
  const waiting: { release(): void; readonly signal: AbortSignal }[] = [];
  const routes = [
    route(contracts.echo, ({ body, query }) => ({
      status: 200,
      json: { ...body, text: query.mode === 'loud' ? body.text.toUpperCase() : body.text },
    })),
    route(contracts.read, ({ params }) => ({
      status: 200,
      bytes: Buffer.from(params.id),
      contentType: 'text/plain',
    })),
    route(contracts.optional, ({ body }) => ({ status: 200, json: body !== undefined })),
    route(contracts.signIn, ({ caller }) => ({ status: 201, json: [caller.name, caller.password] })),
    route(contracts.administer, () => ({ status: 204 })),
    route(contracts.enrol, ({ caller }) => ({ status: 200, json: caller.enrolmentToken })),
    route(contracts.runtime, () => ({ status: 204 })),
    route(contracts.fail, ({ params }) => {
      if (params.how === 'retry')
        throw new AppError('queue-full', 'The queue is full', { retryAfterMs: 1500 });
      throw new Error('a secret detail of a bug');
    }),
    route(contracts.wait, ({ signal }) => {
      return new Promise((resolve) => {
        waiting.push({ release: () => resolve({ status: 200, json: 'released' }), signal });
      });
    }),
  ];
  const app = buildHttpApp({
    title: 'Echo service',
    version: { name: 'echo', version: '1.2.3', commit: 'abc' },
    readiness: [],
    routes,
    authenticators: {
      verifyToken: (token) => {
        if (token === 'bad') throw new AppError('invalid-token');
        const role = token === 'admin' ? 'administrator' : 'user';
        const verified = { principal: { user: 'ada', org: undefined, role } } as const;
        return token === 'slow' ? Promise.resolve(verified) : verified;
      },
      isRuntimeCredential: (credential) => credential === 'runtime-secret',
    },
    logger: silentLogger,
    metrics: createMetrics(),
    ...overrides,
  });
  const server: HttpServer = createHttpServer(
    {
      name: 'echo',
      host: '127.0.0.1',
      port: 0,
      portSetting: 'ECHO_PORT',
      ...(overrides.graceMs === undefined ? {} : { graceMs: overrides.graceMs }),
    },
    app,
  );
  await server.start?.();
  return { server, url: server.url, port: server.port, waiting, stop: async () => server.stop?.() };
}
