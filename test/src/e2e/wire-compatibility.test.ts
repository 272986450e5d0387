/** The quirks of clients that exist, as raw bytes on a socket: nothing here goes through our own client. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Platform, startPlatform } from '../support/platform.js';

let platform: Platform;
let token: string;

beforeAll(async () => {
  platform = await startPlatform();
  token = JSON.parse((await basic()).body) as string;
}, 90_000);

afterAll(async () => {
  await platform.stop();
});

interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends exactly these header lines and this body on a connection of its own. */
function raw(url: string, line: string, headers: readonly string[], body = ''): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    socket.setTimeout(60_000, () => socket.destroy(new Error(`no answer to ${line}`)));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const split = text.indexOf('\r\n\r\n');
      resolve({ status: Number(text.slice(9, 12)), head: text.slice(0, split), body: text.slice(split + 4) });
    });
    socket.write(
      `${line} HTTP/1.1\r\nHost: gantry\r\nConnection: close\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\n${body}`,
    );
  });
}

const basic = (extra: readonly string[] = []) =>
  raw(platform.cloudUrl, 'POST /v1/authenticate', [
    `Authorization: Basic ${Buffer.from(`admin:${platform.adminPassword}`).toString('base64')}`,
    'Content-Length: 0',
    ...extra,
  ]);

const post = (url: string, path: string, body: string, extra: readonly string[] = []) =>
  raw(url, `POST ${path}`, [`token: ${token}`, `Content-Length: ${Buffer.byteLength(body)}`, ...extra], body);

describe('signing in', () => {
  it('answers 201 and nothing but a quoted token that fits the buffer of the C client', async () => {
    for (const extra of [[], ['Content-Type: application/json', 'Accept: application/json']]) {
      const answer = await basic(extra);
      expect(answer.status).toBe(201);
      expect(answer.body).toMatch(/^"[A-Za-z0-9_=-]{1,504}"$/);
    }
  });

  it('answers 401 with a challenge without credentials', async () => {
    const answer = await raw(platform.cloudUrl, 'POST /v1/authenticate', ['Content-Length: 0']);
    expect(answer.status).toBe(401);
    expect(answer.head.toLowerCase()).toContain('www-authenticate: basic');
    expect(JSON.parse(answer.body).detail).toBe('Not authenticated');
  });

  it('answers the public key as 64 hex characters', async () => {
    const answer = await raw(platform.cloudUrl, 'GET /v1/public_key', []);
    expect(answer.body).toMatch(/^"[0-9a-f]{64}"$/);
  });
});

describe('the Python client', () => {
  it('goes from requirement to result without ever sending a Content-Type', async () => {
    const requirement = await post(
      platform.cloudUrl,
      '/v1/app_requirements',
      JSON.stringify({
        FLAVOUR: 'Nature',
        MAX_LATENCY: 45,
        MAX_FUNCTION_EXECUTION_TIME: 3.5,
        MIN_ENERGY_RENEWABLE_USAGE: 75,
        GEOLOCATION: { latitude: 43.05, longitude: -2.53 },
        SCHEDULING_POLICY: 'unknown keys are ignored',
      }),
    );
    expect(requirement.status).toBe(200);
    expect(requirement.body).toMatch(/^[1-9]\d*$/);
    const clusters = await raw(platform.cloudUrl, `GET /v1/app_requirements/${requirement.body}/ec_fe`, [
      `token: ${token}`,
    ]);
    const [cluster] = JSON.parse(clusters.body);
    expect(typeof cluster.ID).toBe('number');
    expect(cluster.NAME.length).toBeLessThanOrEqual(49);
    expect(cluster.TEMPLATE.EDGE_CLUSTER_FRONTEND).toMatch(/[^/]$/);
    const upload = await post(
      platform.cloudUrl,
      '/v1/daas/upload',
      JSON.stringify({
        LANG: 'JS',
        FC: Buffer.from('export default () => 7;').toString('base64'),
        FC_HASH: 'abc',
      }),
    );
    expect(upload.status).toBe(200);
    expect(upload.body).toMatch(/^[1-9]\d*$/);
    const executed = await post(
      cluster.TEMPLATE.EDGE_CLUSTER_FRONTEND,
      `/v1/functions/${upload.body}/execute?app_req_id=${requirement.body}&mode=sync`,
      '[]',
    );
    expect(executed.status).toBe(200);
    expect(JSON.parse(executed.body)).toEqual({ ret_code: 0, res: 'Nw==', err: null });
  });

  it('replaces and deletes requirements with the codes it knows', async () => {
    const { body: id } = await post(platform.cloudUrl, '/v1/app_requirements', '{}');
    const body = '{"FLAVOUR":"Other","GEOLOCATION":"43.05,-2.53"}';
    const replaced = await raw(
      platform.cloudUrl,
      `PUT /v1/app_requirements/${id}`,
      [`token: ${token}`, `Content-Length: ${body.length}`],
      body,
    );
    expect([replaced.status, replaced.body]).toEqual([200, 'null']);
    const removed = await raw(platform.cloudUrl, `DELETE /v1/app_requirements/${id}`, [`token: ${token}`]);
    expect([removed.status, removed.body]).toEqual([204, '']);
  });

  it('gets a result that it can unpickle when what it uploaded is no function', async () => {
    const { body: requirement } = await post(platform.cloudUrl, '/v1/app_requirements', '{}');
    const { body: id } = await post(
      platform.cloudUrl,
      '/v1/daas/upload',
      '{"LANG":"PY","FC":"gAVOLg==","FC_HASH":"h"}',
    );
    const executed = await post(
      platform.edgeUrl,
      `/v1/functions/${id}/execute?app_req_id=${requirement}&mode=sync`,
      '[]',
    );
    expect(executed.status).toBe(200);
    expect(JSON.parse(executed.body)).toMatchObject({ ret_code: -1, res: 'gAVOLg==' });
    expect(JSON.parse(executed.body).err).toMatch(/^invalid-function: /);
  });
});

describe('the C client', () => {
  it('is understood with its own key for renewable energy and free-text places', async () => {
    const body = JSON.stringify({
      FLAVOUR: 'Nature',
      MIN_RENEWABLE_USAGE: 60,
      GEOLOCATION: 'IKERLAN ARRASATE/MONDRAGON 20500',
    });
    const created = await post(platform.cloudUrl, '/v1/app_requirements', body, [
      'Content-Type: application/json',
    ]);
    const read = await raw(platform.cloudUrl, `GET /v1/app_requirements/${created.body}`, [
      `token: ${token}`,
    ]);
    expect(JSON.parse(read.body)).toMatchObject({ MIN_ENERGY_RENEWABLE_USAGE: 60 });
  });
});

describe('ids', () => {
  it('come from one sequence, so that a wrong kind is refused and not mistaken', async () => {
    const { body: requirement } = await post(platform.cloudUrl, '/v1/app_requirements', '{}');
    const { body: fn } = await post(
      platform.cloudUrl,
      '/v1/daas/upload',
      JSON.stringify({
        LANG: 'JS',
        FC: Buffer.from('export default () => 8;').toString('base64'),
        FC_HASH: 'abc',
      }),
    );
    expect(Number(fn)).toBe(Number(requirement) + 1);
    const wrong = await raw(platform.cloudUrl, `GET /v1/app_requirements/${fn}`, [`token: ${token}`]);
    expect(wrong.status).toBe(405);
  });

  it('differ for two functions that share an FC_HASH', async () => {
    const upload = (source: string) =>
      post(
        platform.cloudUrl,
        '/v1/daas/upload',
        JSON.stringify({ LANG: 'JS', FC: Buffer.from(source).toString('base64'), FC_HASH: 'same' }),
      );
    const one = await upload('export default (a) => a + 1;');
    const other = await upload('export default (a) => a + 1000;');
    expect(one.body).not.toBe(other.body);
    expect((await upload('export default (a) => a + 1;')).body).toBe(one.body);
  });
});
