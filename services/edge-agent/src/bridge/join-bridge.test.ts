import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrolmentNonceHeader } from '@gantry/contracts';
import { silentLogger } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type JoinOptions, joinBridge } from './join-bridge.js';

const credential = {
  ...{ name: 'n1', credential: 'biscuit', expires_at: '2036-01-01T00:00:00.000Z' },
  bridge_keys: [{ id: 1, public_key: 'a'.repeat(64) }],
};

let folder: string;
let server: Server;
let nonces: string[];
let answer: (response: ServerResponse, count: number) => void;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-join-'));
  nonces = [];
  server = createServer((request: IncomingMessage, response) => {
    nonces.push(String(request.headers[enrolmentNonceHeader]));
    answer(response, nonces.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

function joining(token: string, stop = new AbortController(), more: Partial<JoinOptions> = {}) {
  const enrolmentTokenFile = join(folder, 'token');
  writeFileSync(enrolmentTokenFile, token);
  return joinBridge({
    ...{ name: 'n1', ca: undefined, dataDir: join(folder, 'data'), enrolmentTokenFile },
    ...{ logger: silentLogger, signal: stop.signal },
    bridgeUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...more,
  });
}
const give = (response: ServerResponse) => void response.writeHead(201).end(JSON.stringify(credential));

describe('joining a bridge', () => {
  it('asks again for an answer that was lost, as the one that asked first', async () => {
    answer = (response, count) => (count < 3 ? void response.destroy() : give(response));
    expect(await joining('token')).toEqual(credential);
    expect(nonces).toHaveLength(3);
    expect(new Set(nonces).size).toBe(1);
    expect(nonces[0]).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(existsSync(join(folder, 'data', 'enrolment-nonce'))).toBe(false);
  });

  it('says which bridge does not answer, and why', async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(free.address() as AddressInfo).port}`;
    await new Promise((resolve) => free.close(resolve));
    const logged: unknown[] = [];
    const firstWarning = (stop: AbortController, bridgeUrl?: string) =>
      joining('token', stop, {
        ...(bridgeUrl === undefined ? {} : { bridgeUrl }),
        logger: {
          ...silentLogger,
          warn: (message, fields) => {
            logged.push({ message, ...fields });
            stop.abort();
          },
        },
      });
    await expect(firstWarning(new AbortController(), url)).rejects.toThrow();
    answer = (response) => void response.writeHead(503).end('{"detail":"not ready"}');
    await expect(firstWarning(new AbortController())).rejects.toThrow();
    const message = 'the bridge does not answer yet';
    expect(logged).toMatchObject([
      { message, url, reason: 'fetch failed: ECONNREFUSED' },
      { message, reason: 'it answered with 503: not ready' },
    ]);
  });

  it('does so as another process too, and as another agent with another token', async () => {
    const stop = new AbortController();
    answer = (response) => {
      stop.abort();
      response.destroy();
    };
    await expect(joining('token', stop)).rejects.toThrow();
    answer = give;
    await joining('token');
    await joining('another');
    expect(nonces[1]).toBe(nonces[0]);
    expect(nonces[2]).not.toBe(nonces[0]);
  });
});
