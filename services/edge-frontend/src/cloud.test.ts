import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { newSigningKey } from '@gantry/tokens';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Device, request } from './test-support/client.js';
import { FakeCloud } from './test-support/fake-cloud.js';
import { type EdgeTestOptions, type EdgeUnderTest, startEdge, until } from './test-support/start-edge.js';

// Each starts a whole frontend with its threads; a busy machine takes its time.
jest.setTimeout(60_000);

const open: EdgeUnderTest[] = [];
const start = async (options?: EdgeTestOptions) => {
  const edge = await startEdge(options);
  open.push(edge);
  return edge;
};
afterEach(async () => {
  for (const edge of open.splice(0)) await edge.stop();
});

describe('an edge frontend and its cloud frontend', () => {
  it('keeps serving known callers and documents while the cloud is down, also after a restart', async () => {
    const edge = await start();
    await edge.startRuntime();
    const device = await Device.of(edge);
    const unknown = edge.cloud.addFunction('ada', 'export default () => 2');
    expect((await device.execute()).status).toBe(200);
    edge.cloud.isDown = true;
    expect((await device.execute()).status).toBe(200);
    expect(await device.execute({ functionId: unknown })).toMatchObject({
      status: 503,
      json: { code: 'cloud-unavailable' },
    });
    await edge.restart();
    // The token is verified with the keys that were kept; the documents were only in memory.
    expect(await device.execute()).toMatchObject({ status: 503, json: { code: 'cloud-unavailable' } });
    expect((await device.get('/v1/executions')).status).toBe(200);
    edge.cloud.isDown = false;
    expect((await device.execute()).status).toBe(200);
  });

  it('keeps keys in a file that only its owner reads', async () => {
    const edge = await start();
    const path = join(edge.dataDir, 'edge-keys.json');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const [key] = edge.cloud.keys;
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      keys: [{ id: 1, publicKey: key?.publicKey }],
      revoked: [],
    });
  });

  it('takes tokens of a new key at once, and those of the old one still', async () => {
    const edge = await start();
    await edge.startRuntime();
    const device = await Device.of(edge);
    expect((await device.execute()).status).toBe(200);
    edge.cloud.keys.push(newSigningKey(2));
    const { token } = await edge.cloud.issue('ada');
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect((await device.execute({ headers: { token } })).status).toBe(200);
    expect((await device.execute()).status).toBe(200);
  });

  it('refuses a revoked token, also one that it has just accepted', async () => {
    const edge = await start();
    await edge.startRuntime();
    const device = await Device.of(edge);
    const { token, revocationId } = await edge.cloud.issue('ada');
    const status = async () => (await device.execute({ headers: { token } })).status;
    expect(await status()).toBe(200);
    edge.cloud.revoked.push(revocationId);
    await until('it is refused', async () => (await status()) === 401);
    expect(await device.execute({ headers: { token } })).toMatchObject({ json: { code: 'token-revoked' } });
    expect((await device.execute()).status).toBe(200);
  });

  it('sees a changed requirement and a deleted function within five seconds', async () => {
    const edge = await start();
    const runtime = await edge.startRuntime();
    const device = await Device.of(edge, 'ada', { MAX_FUNCTION_EXECUTION_TIME: 1 });
    await device.execute();
    edge.cloud.replaceRequirement(device.requirementId, { MAX_FUNCTION_EXECUTION_TIME: 2 });
    edge.cloud.remove(device.functionId);
    await until('the function is gone', async () => (await device.execute()).status === 404, 8000);
    const functionId = edge.cloud.addFunction('ada');
    expect((await device.execute({ functionId })).status).toBe(200);
    expect(runtime.seen.at(-1)?.runMs).toBe(2000);
  });

  it('starts without a cloud, is not ready, and becomes ready by itself', async () => {
    const cloud = new FakeCloud();
    cloud.isDown = true;
    const edge = await start({ cloud });
    await edge.startRuntime();
    const response = await fetch(`${edge.url}/readyz?verbose`);
    const { checks } = (await response.json()) as { checks: { name: string; ok: boolean }[] };
    expect(response.status).toBe(503);
    expect(checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['keys', 'cluster']),
    );
    cloud.isDown = false;
    await until('it is ready', async () => (await fetch(`${edge.url}/readyz`)).status === 200);
  });

  it('registers its cluster, with the flavours that have a live runtime', async () => {
    const edge = await start({
      edge: {
        flavours: ['Nature', 'Idle'],
        geolocation: '48.85,2.35',
        provider: 'home',
        publicUrl: 'https://edge.test/a',
      },
    });
    await edge.startRuntime();
    await until('the flavour was reported', () => edge.cloud.reports.at(-1)?.flavours.length === 1);
    expect(edge.cloud.reports.at(-1)).toEqual({
      url: 'https://edge.test/a',
      flavours: ['Nature'],
      geolocation: '48.85,2.35',
      provider: 'home',
      is_confidential: false,
      capacity: 1,
    });
  });

  it('serves its documentation, its health and its version', async () => {
    const edge = await start();
    for (const path of ['/docs', '/docs/', '/openapi.json', '/livez', '/version'])
      expect((await fetch(`${edge.url}${path}`)).status).toBe(200);
    const paths = (await request(`${edge.url}/openapi.json`)).json.paths;
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/v1/functions/{id}/execute',
        '/v1/executions/{id}/logs',
        '/v1/device_metrics',
      ]),
    );
    expect(await request(`${edge.url}/v1/functions/1/execute`)).toMatchObject({ status: 405 });
  });
});
