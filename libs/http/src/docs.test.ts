import { problems } from '@gantry/contracts';
import { silentLogger } from '@gantry/kernel';
import { createMetrics } from '@gantry/telemetry';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startEchoService } from './echo-service.fixture.js';
import { createMetricsServer } from './metrics-server.js';
import { readVersion } from './version.js';

let failing: string | undefined;
let service: Awaited<ReturnType<typeof startEchoService>>;
beforeAll(async () => {
  service = await startEchoService({
    readiness: [
      { name: 'store', check: () => undefined },
      { name: 'broker', check: () => Promise.resolve(failing) },
      {
        name: 'keys',
        check: () => {
          if (failing === 'throw') throw new Error('secret');
          return undefined;
        },
      },
    ],
    logger: silentLogger,
  });
});
afterAll(() => service.stop());

describe('docs', () => {
  it.each(['/docs', '/docs/'])('%s answers a page whose assets and document are reachable', async (path) => {
    const page = await fetch(service.url + path, { redirect: 'manual' });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    const html = await page.text();
    const links = [...html.matchAll(/(?:src|href|data-spec)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(links).toHaveLength(5);
    for (const link of links) {
      const target = new URL(link, service.url + path);
      expect(target.origin).toBe(service.url);
      const asset = await fetch(target);
      expect([link, asset.status]).toEqual([link, 200]);
      expect((await asset.arrayBuffer()).byteLength).toBeGreaterThan(100);
    }
  });

  it('has a policy that loads nothing from elsewhere and runs no inline script', async () => {
    const page = await fetch(`${service.url}/docs`);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(await page.text()).not.toMatch(/<script>|https?:\/\//);
  });

  it('leads from / to /docs as the original does', async () => {
    const response = await fetch(service.url, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([307, '/docs']);
  });

  it.each(Object.keys(problems))('/problems/%s explains itself', async (code) => {
    const response = await fetch(`${service.url}/problems/${code}`);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(`<code>${code}</code>`);
  });

  it.each(['nothing', 'toString', '__proto__'])('/problems/%s is 404', async (code) => {
    const response = await fetch(`${service.url}/problems/${code}`);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      404,
      'application/problem+json',
    ]);
  });
});

describe('health', () => {
  it('/livez and /version answer', async () => {
    expect(await (await fetch(`${service.url}/livez`)).json()).toEqual({ status: 'ok' });
    const version = { name: 'echo', version: '1.2.3', commit: 'abc' };
    expect(await (await fetch(`${service.url}/version`)).json()).toEqual(version);
    expect(readVersion('http', new URL('../package.json', import.meta.url))).toEqual({
      name: 'http',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      commit: expect.stringMatching(/^([0-9a-f]{40}|unknown)$/),
    });
  });

  it('/readyz is 200 while every check holds, and lists them when verbose', async () => {
    failing = undefined;
    const brief = await fetch(`${service.url}/readyz`);
    expect([brief.status, await brief.json()]).toEqual([200, { status: 'ok' }]);
    const verbose = await (await fetch(`${service.url}/readyz?verbose`)).json();
    expect(verbose).toMatchObject({
      checks: [
        { name: 'store', ok: true },
        { name: 'broker', ok: true },
        { name: 'keys', ok: true },
      ],
    });
  });

  it('/readyz is 503 with the reasons when a check fails, and keeps the text of a thrown error', async () => {
    failing = 'not connected';
    const response = await fetch(`${service.url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: 'not-ready',
      checks: [{ name: 'broker', ok: false, reason: 'not connected' }],
    });
    failing = 'throw';
    const thrown = await (await fetch(`${service.url}/readyz?verbose`)).text();
    expect(thrown).not.toContain('secret');
    expect(thrown).toContain('the check failed; see the log');
  });
});

describe('metrics', () => {
  it('stand on a port of their own and count requests by route', async () => {
    const metrics = createMetrics();
    const measured = await startEchoService({ metrics });
    const server = createMetricsServer({ host: '127.0.0.1', port: 0 }, [metrics]);
    await server.start?.();
    try {
      await (await fetch(`${measured.url}/v1/notes/secret-id`)).text();
      const response = await fetch(`${server.url}/metrics`);
      const text = await response.text();
      expect(response.headers.get('content-type')).toContain('text/plain');
      expect(text).toMatch(
        /http_request_duration_seconds_count\{method="get",route="\/v1\/notes\/\{id\}",status="200"\} 1/,
      );
      expect(text).not.toContain('secret-id');
      expect((await fetch(`${measured.url}/metrics`)).status).toBe(404);
      expect((await fetch(`${server.url}/other`)).status).toBe(404);
    } finally {
      await measured.stop();
      await server.stop?.();
    }
  });
});
