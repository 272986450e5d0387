import { silentLogger } from '@gantry/kernel';
import { createMetrics } from '@gantry/telemetry';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { buildHttpApp } from './build-app.js';
import { route } from './route.js';
import { createHttpServer, type HttpServer } from './server.js';

const contract = {
  method: 'post',
  path: '/v1/things/{id}/use',
  summary: 'Use a thing',
  tag: 'things',
  auth: 'none',
  params: z.object({ id: z.string() }),
  query: z.object({ mode: z.union([z.string(), z.array(z.string())]).optional() }),
  responses: { 200: { description: 'What was understood', schema: z.unknown() } },
} as const;

describe('a hot route', () => {
  let server: HttpServer;
  beforeAll(async () => {
    const hot = route(
      contract,
      ({ params, query, bytes, raw }) => ({
        status: 200,
        // Express leaves its mark on the requests that it sees.
        json: { id: params.id, mode: query.mode, body: bytes.toString(), isDirect: !('app' in raw) },
      }),
      { isHot: true, bodyAs: 'bytes' },
    );
    const app = buildHttpApp({
      title: 'Things',
      version: { name: 'things', version: '0', commit: 'x' },
      readiness: [],
      routes: [hot],
      authenticators: {},
      logger: silentLogger,
      metrics: createMetrics(),
    });
    server = createHttpServer({ name: 'things', host: '127.0.0.1', port: 0, portSetting: 'X' }, app);
    await server.start?.();
  });
  afterAll(() => server.stop?.());
  const post = async (path: string) => {
    const response = await fetch(`${server.url}${path}`, { method: 'POST', body: 'x' });
    return { status: response.status, json: await response.json() };
  };

  it('is answered without express, with its parameters decoded', async () => {
    expect(await post('/v1/things/a%20b/use?mode=fast&other=1')).toEqual({
      status: 200,
      json: { id: 'a b', mode: 'fast', body: 'x', isDirect: true },
    });
    expect((await post('/v1/things/1/use')).json).toEqual({ id: '1', body: 'x', isDirect: true });
    expect((await post('/v1/things/1/use?mode=a&mode=b')).json).toMatchObject({ mode: ['a', 'b'] });
  });

  it('is answered by express in every other spelling', async () => {
    expect((await post('/v1/things/1/use/?mode=fast')).json).toMatchObject({
      id: '1',
      mode: 'fast',
      isDirect: false,
    });
  });

  it('refuses like any other route', async () => {
    expect(await post('/v1/things/%ff/use')).toMatchObject({
      status: 400,
      json: { code: 'malformed-request' },
    });
    expect(await post('/v1/things/1/2/use')).toMatchObject({
      status: 404,
      json: { code: 'route-not-found' },
    });
    const wrong = await fetch(`${server.url}/v1/things/1/use`);
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
  });
});
