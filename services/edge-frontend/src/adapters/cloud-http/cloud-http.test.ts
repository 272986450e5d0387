import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { CloudLink } from '../../ports.js';
import { linkOverHttp } from './cloud-http.js';

const reader = { principal: { user: 'ada', org: undefined, role: 'user' }, token: 'the-token' } as const;
const functionView = {
  ...{ id: 7, owner: 'ada', name: null, LANG: 'JS', FC_HASH: 'x', sha256: 'a'.repeat(64) },
  ...{ size_bytes: 3, created_at: '2026-01-01T00:00:00.000Z' },
};

describe('the cloud over HTTP', () => {
  let server: Server;
  let url: string;
  let cloud: CloudLink;
  let answer: (path: string, response: ServerResponse) => void;
  let asked: { method: string; url: string; token: unknown; authorization: unknown; body: string }[];
  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        const { token, authorization } = request.headers;
        asked.push({ method: request.method ?? '', url: request.url ?? '', token, authorization, body });
        answer(request.url ?? '', response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    asked = [];
    cloud = linkOverHttp({ cloudUrl: url, name: 'c1', enrolmentToken: 'enrolled', timeoutMs: 300 });
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const json = (value: unknown, status = 200, headers = {}) => {
    answer = (_path, response) => response.writeHead(status, headers).end(JSON.stringify(value));
  };

  it('reads a function with the token of the caller', async () => {
    json(functionView);
    expect(await cloud.readFunction(7, reader)).toEqual({
      kind: 'found',
      document: {
        ...{ id: 7, owner: 'ada', name: undefined, language: 'JS', clientHash: 'x', sha256: 'a'.repeat(64) },
        ...{ sizeBytes: 3, createdAtMs: Date.UTC(2026, 0, 1) },
      },
    });
    expect(asked).toMatchObject([{ method: 'GET', url: '/v1/functions/7', token: 'the-token' }]);
  });

  it('knows whose a requirement is, and a limit that was sent from one that was filled in', async () => {
    const body = { FLAVOUR: 'Nature', MAX_FUNCTION_EXECUTION_TIME: 1 };
    json(body, 200, { 'x-gantry-owner': 'b%40b' });
    expect(await cloud.readRequirement(3, reader)).toMatchObject({
      document: { owner: 'b@b', requirement: { flavour: 'Nature', maxRunMs: undefined } },
    });
    json(body, 200, { 'x-gantry-owner': 'ada', 'x-gantry-max-run-ms': '1000' });
    expect(await cloud.readRequirement(3, reader)).toMatchObject({
      document: { requirement: { maxRunMs: 1000 } },
    });
  });

  it('tells missing from wrong', async () => {
    json({}, 404);
    expect(await cloud.readFunction(7, reader)).toEqual({ kind: 'missing' });
    expect(await cloud.readCode(7, reader)).toBeUndefined();
    json({}, 405);
    expect(await cloud.readRequirement(7, reader)).toEqual({ kind: 'wrong-type' });
  });

  it('reads code, keys with the newest last, and revocations', async () => {
    answer = (_path, response) => response.end(Buffer.from([1, 2, 255]));
    expect(await cloud.readCode(7, reader)).toEqual(Buffer.from([1, 2, 255]));
    const key = (id: number) => ({
      ...{
        id,
        public_key: String(id).repeat(64),
        created_at: '2026-01-01T00:00:00.000Z',
        is_current: id === 2,
      },
    });
    json([key(2), key(1)]);
    expect((await cloud.readKeys()).map(({ id }) => id)).toEqual([1, 2]);
    json({ revocation_ids: ['ab'] });
    expect(await cloud.readRevoked()).toEqual(['ab']);
  });

  it('reports the cluster with its enrolment token', async () => {
    answer = (_path, response) => response.writeHead(204).end();
    const report = { url: 'http://e', flavours: ['Nature'], is_confidential: false, capacity: 1 };
    await cloud.reportCluster(report);
    expect(asked).toMatchObject([
      { method: 'PUT', url: '/v1/clusters/c1', authorization: 'Bearer enrolled' },
    ]);
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual(report);
    json({}, 401);
    await expect(cloud.reportCluster(report)).rejects.toMatchObject({ status: 401 });
  });

  it('passes on what the cloud says of the token', async () => {
    const problem = {
      type: '/problems/token-revoked',
      title: 't',
      status: 401,
      detail: 'gone',
      code: 'token-revoked',
    };
    json({ ...problem, request_id: 'r' }, 401);
    await expect(cloud.readFunction(7, reader)).rejects.toMatchObject({
      code: 'token-revoked',
      message: 'gone',
    });
  });

  it('is unavailable when it is slow, broken, or somebody else', async () => {
    answer = () => undefined;
    await expect(cloud.readFunction(7, reader)).rejects.toMatchObject({ code: 'cloud-unavailable' });
    json({}, 500);
    await expect(cloud.readFunction(7, reader)).rejects.toMatchObject({ code: 'cloud-unavailable' });
    json({ hello: 'world' });
    await expect(cloud.readFunction(7, reader)).rejects.toMatchObject({ code: 'cloud-unavailable' });
  });

  it('is not asked again and again while it is broken; other questions still are', async () => {
    json({}, 500);
    for (let i = 0; i < 20; i += 1)
      await expect(cloud.readFunction(7, reader)).rejects.toMatchObject({ code: 'cloud-unavailable' });
    expect(asked.length).toBeLessThan(20);
    json({ revocation_ids: [] });
    expect(await cloud.readRevoked()).toEqual([]);
  });
});
