/** One embedded platform, used as devices use it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkedFetch } from '../support/checked-fetch.js';
import { type Device, newDevice, resultOf } from '../support/device.js';
import { type Platform, startPlatform } from '../support/platform.js';
import { until } from '../support/processes.js';

let platform: Platform;
let device: Device;
let requirementId: number;

beforeAll(async () => {
  platform = await startPlatform();
  device = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
  requirementId = await device.requirement();
}, 90_000);

afterAll(async () => {
  await platform.stop();
});

const call = async (source: string, ...parameters: unknown[]) =>
  device.execute(await device.upload(source), requirementId, parameters);

describe('a synchronous call', () => {
  it('answers the value with all three keys', async () => {
    const answer = await call('export default (a, b) => a + b;', 2, 40);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.json)).toEqual(['ret_code', 'res', 'err']);
    expect(answer.json).toMatchObject({ ret_code: 0, err: null });
    expect(resultOf(answer.json)).toBe(42);
  });

  it('answers 200 with a decodable result and the reason when the function fails', async () => {
    const answer = await call('export default () => { throw new TypeError("no such thing"); };');
    expect(answer.status).toBe(200);
    expect(answer.json.ret_code).toBe(-1);
    expect(answer.json.err).toMatch(/^function-error: TypeError: no such thing/);
    expect(resultOf(answer.json)).toBeNull();
  });

  it('ends an endless loop at MAX_FUNCTION_EXECUTION_TIME, and the next call works', async () => {
    const brief = await device.requirement({ MAX_FUNCTION_EXECUTION_TIME: 0.5 });
    const endless = await device.upload('export default () => { for (;;); };');
    const answer = await device.execute(endless, brief, []);
    expect(answer.status).toBe(200);
    expect(answer.json.err).toMatch(/^execution-timeout: /);
    expect(resultOf((await call('export default () => "alive";')).json)).toBe('alive');
  });

  it('lets a function run for longer than a second when the client sent no limit', async () => {
    const answer = await call(
      'export default async () => { await new Promise((resolve) => setTimeout(resolve, 1500)); return "done"; };',
    );
    expect(resultOf(answer.json)).toBe('done');
  });

  it('answers 503 at once when no runtime serves the flavour', async () => {
    const elsewhere = await device.requirement({ FLAVOUR: 'Nowhere' });
    const functionId = await device.upload('export default () => 1;');
    for (const mode of ['sync', 'async']) {
      const answer = await device.execute(functionId, elsewhere, [], { mode });
      expect(answer.status).toBe(503);
      expect(answer.json.code).toBe('no-runtime-for-flavour');
      expect(answer.headers.get('retry-after')).not.toBeNull();
    }
  });

  it('can be found afterwards under its execution id', async () => {
    const answer = await call('export default () => "kept";');
    const id = answer.headers.get('x-execution-id') ?? '';
    const execution = await until('the execution to be recorded', async () => {
      const read = await device.read(id);
      return read.status === 200 && read.json.status === 'succeeded' ? read.json : undefined;
    });
    expect(execution).toMatchObject({ mode: 'sync', ret_code: 0, execution_id: id });
  });
});

describe('an asynchronous call', () => {
  it('answers 202 with a Location, and the result there', async () => {
    const functionId = await device.upload('export default (n) => n * 2;');
    const accepted = await device.execute(functionId, requirementId, [21], { mode: 'async' });
    expect(accepted.status).toBe(202);
    expect(accepted.headers.get('location')).toBe(`/v1/executions/${accepted.json.execution_id}`);
    const execution = await device.read(accepted.json.execution_id, 30);
    expect(execution.json).toMatchObject({ status: 'succeeded', ret_code: 0, attempt: 1, err: null });
    expect(resultOf(execution.json)).toBe(42);
  });

  it('honours Prefer: wait with the result when it is ready in time, and with 202 when not', async () => {
    const quick = await device.upload('export default () => "quick";');
    const ready = await device.execute(quick, requirementId, [], {
      headers: { prefer: 'respond-async, wait=20' },
    });
    expect(ready.status).toBe(200);
    expect(resultOf(ready.json)).toBe('quick');
    const slow = await device.upload(
      'export default () => new Promise((resolve) => setTimeout(resolve, 4000));',
    );
    const accepted = await device.execute(slow, requirementId, [], {
      headers: { prefer: 'respond-async, wait=1' },
    });
    expect(accepted.status).toBe(202);
    await checkedFetch(`${platform.edgeUrl}/v1/executions/${accepted.json.execution_id}`, {
      method: 'DELETE',
      headers: { token: device.token },
    });
  });

  it('keeps what the function wrote', async () => {
    const functionId = await device.upload(
      'export default () => { console.log("hello", { a: 1 }); gantry.log("bye"); };',
    );
    const accepted = await device.execute(functionId, requirementId, [], { mode: 'async' });
    await device.read(accepted.json.execution_id, 30);
    const logs = await checkedFetch(`${platform.edgeUrl}/v1/executions/${accepted.json.execution_id}/logs`, {
      headers: { token: device.token },
    });
    expect(logs.text).toMatch(/hello.*a.*1[\s\S]*bye/);
  });

  it('is cancelled while it runs, and a second cancellation is refused', async () => {
    const functionId = await device.upload('export default () => { for (;;); };');
    const accepted = await device.execute(functionId, requirementId, [], { mode: 'async' });
    const id = accepted.json.execution_id;
    await until('the execution to run', async () => (await device.read(id)).json.status === 'running');
    const cancel = () =>
      checkedFetch(`${platform.edgeUrl}/v1/executions/${id}`, {
        method: 'DELETE',
        headers: { token: device.token },
      });
    expect((await cancel()).status).toBe(202);
    const execution = await device.read(id, 10);
    expect(execution.json.status).toBe('cancelled');
    const again = await cancel();
    expect(again.status).toBe(409);
    expect(again.json.code).toBe('execution-finished');
    const functionAfter = await call('export default () => "free again";');
    expect(resultOf(functionAfter.json)).toBe('free again');
  });

  it('is listed with filters, page by page', async () => {
    const functionId = await device.upload('export default (n) => n + 1000;');
    for (let n = 0; n < 5; n += 1) await device.execute(functionId, requirementId, [n], { mode: 'async' });
    const page = async (cursor?: string) =>
      (
        await checkedFetch(
          `${platform.edgeUrl}/v1/executions?limit=2&function_id=${functionId}${cursor === undefined ? '' : `&cursor=${cursor}`}`,
          { headers: { token: device.token } },
        )
      ).json;
    const ids = new Set<string>();
    let cursor: string | undefined;
    do {
      const { items, next_cursor } = await page(cursor);
      for (const item of items) ids.add(item.execution_id);
      cursor = next_cursor ?? undefined;
    } while (cursor !== undefined);
    expect(ids.size).toBe(5);
  });
});

describe('what both frontends serve', () => {
  it('serves documentation that needs no other host', async () => {
    for (const url of [platform.cloudUrl, platform.edgeUrl]) {
      for (const path of ['/docs', '/docs/']) {
        const page = await checkedFetch(`${url}${path}`);
        expect(page.status).toBe(200);
        expect(page.text).not.toMatch(/(src|href)="https?:/);
        for (const [, asset] of page.text.matchAll(/(?:src|href)="([^"]+)"/g))
          expect((await checkedFetch(new URL(asset ?? '', `${url}${path}`).href)).status).toBe(200);
      }
      expect((await checkedFetch(url)).status).toBe(307);
    }
  });

  it('serves health, version with the commit, and metrics on their own port', async () => {
    for (const url of [platform.cloudUrl, platform.edgeUrl]) {
      expect((await checkedFetch(`${url}/livez`)).status).toBe(200);
      const ready = await checkedFetch(`${url}/readyz?verbose`);
      expect(ready.status).toBe(200);
      expect(ready.json.checks.every((check: { ok: boolean }) => check.ok)).toBe(true);
      expect((await checkedFetch(`${url}/version`)).json.commit).toMatch(/^([0-9a-f]{7,40}|unknown)$/);
      expect((await checkedFetch(`${url}/metrics`)).status).toBe(404);
    }
    expect(await (await fetch(platform.metricsUrl)).text()).toContain('http_request_duration_seconds_bucket');
  });
});

it('turns the numbers of a device into metrics', async () => {
  const report = (body: string) =>
    checkedFetch(`${platform.edgeUrl}/v1/device_metrics`, {
      method: 'POST',
      headers: { token: device.token },
      body: Buffer.from(body),
    });
  expect((await report('')).status).toBe(200);
  expect((await report('{"temperature": 21.5, "name": "roof"}')).text).toBe('null');
  expect(await (await fetch(platform.metricsUrl)).text()).toMatch(
    /device_metric\{[^}]*temperature[^}]*\} 21\.5/,
  );
});
