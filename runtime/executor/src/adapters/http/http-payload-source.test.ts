import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AppError } from '@gantry/kernel';
import { afterEach, describe, expect, it } from '@jest/globals';
import { sha256Of } from '../../testing/sandbox-fixture.js';
import { HttpPayloadSource } from './http-payload-source.js';

const bytes = Buffer.from('export default () => 1;');
const sha256 = sha256Of(bytes);
const servers: Server[] = [];

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const source = (...edgeUrls: string[]) =>
  new HttpPayloadSource({ edgeUrls, credential: () => 'secret', maxBytes: 1000 });
const good: RequestListener = (request, response) => {
  const isRight =
    request.headers.authorization === 'Bearer secret' && request.url === `/internal/v1/payloads/${sha256}`;
  response.writeHead(isRight ? 200 : 401).end(bytes);
};
const absent: RequestListener = (_request, response) => response.writeHead(404).end('{}');
const unauthorised: RequestListener = (_request, response) => response.writeHead(401).end();
const known: RequestListener = (_request, response) =>
  response.writeHead(404).end(JSON.stringify({ code: 'payload-not-found' }));

describe('HttpPayloadSource', () => {
  it('asks with the credential, under the path of the sha256', async () => {
    expect(await source(await serve(good)).fetch(sha256, { timeoutMs: 2000 })).toEqual(bytes);
  });

  it('tries the next edge frontend when one fails or does not have it', async () => {
    const failing = await serve((_request, response) => response.writeHead(500).end());
    const urls = ['http://127.0.0.1:9', failing, await serve(absent), await serve(good)];
    expect(await source(...urls).fetch(sha256, { timeoutMs: 2000 })).toEqual(bytes);
  });

  it.each<[string, RequestListener[], string | undefined]>([
    ['one edge frontend takes the credential', [unauthorised, known], undefined],
    ['nobody takes the credential', [unauthorised], 'forbidden'],
    ['nobody answers', [(_request, response) => response.destroy()], 'edge-overloaded'],
    ['the address is that of something else', [absent], 'edge-overloaded'],
  ])('is checked: %s', async (_name, listeners, code) => {
    const urls = await Promise.all(listeners.map(serve));
    const checked = source(...urls).check({ timeoutMs: 5000 });
    const outcome = await checked.then(
      () => undefined,
      (error: AppError) => error,
    );
    expect(outcome?.code).toBe(code);
    if (code !== undefined) expect(outcome?.message).toMatch(/GANTRY_EDGE_URLS/);
  });

  it.each<[string, RequestListener, string]>([
    ['nobody has it', absent, 'payload-not-found'],
    ['the bytes are others', (_request, response) => response.end('other'), 'edge-overloaded'],
    ['there are too many', (_request, response) => response.end(Buffer.alloc(2000)), 'edge-overloaded'],
    [
      'it redirects',
      (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:9' }).end(),
      'edge-overloaded',
    ],
    ['it never answers', () => undefined, 'edge-overloaded'],
  ])('fails when %s', async (_name, listener, code) => {
    await expect(source(await serve(listener)).fetch(sha256, { timeoutMs: 300 })).rejects.toMatchObject({
      code,
    });
  });
});
