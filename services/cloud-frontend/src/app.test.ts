import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cloudApi } from '@gantry/contracts';
import { AppError, type Logger } from '@gantry/kernel';
import type { Store } from '@gantry/store';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { base64, problemOf, startCloud, type TestCloud, type TestCloudOptions } from './cloud.fixture.js';

// Each start brings up the threads of a token verifier.
jest.setTimeout(30_000);

let parent: string;
let folder: string;
const stops: (() => Promise<void>)[] = [];
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'gantry-cloud-'));
  folder = join(parent, 'data');
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  rmSync(parent, { recursive: true, force: true });
});

async function start(options: TestCloudOptions = {}): Promise<TestCloud> {
  const cloud = await startCloud({ folder, ...options });
  stops.push(cloud.stop);
  return cloud;
}
const passwordPath = () => join(folder, 'admin-password');

describe('the first start', () => {
  it('makes the account admin with a random password, and writes it into no log', async () => {
    const lines: unknown[] = [];
    const write = (...line: unknown[]) => void lines.push(line);
    const logger: Logger = { error: write, warn: write, info: write, debug: write };
    const { cloud, signIn } = await start({ logger });
    const written = readFileSync(passwordPath(), 'utf8').trim();
    expect(cloud.firstAccount).toEqual({ name: 'admin', password: written, passwordFile: passwordPath() });
    expect((await signIn('admin', written)).status).toBe(201);
    await signIn('admin', 'a wrong password');
    expect(lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(lines)).not.toContain(written);
    expect(JSON.stringify(lines)).not.toContain('a wrong password');
    for (const [path, mode] of [
      [folder, 0o700],
      [passwordPath(), 0o600],
      [join(folder, 'gantry.db'), 0o600],
    ] as const)
      expect(statSync(path).mode & 0o777).toBe(mode);
  });

  it('refuses a password file that does not fit, and names the setting', async () => {
    const adminPasswordFile = join(parent, 'password');
    writeFileSync(adminPasswordFile, 'short\n');
    const failed = await start({ settings: { adminPasswordFile } }).catch((error: Error) => error);
    const message = expect.stringMatching(/GANTRY_ADMIN_PASSWORD_FILE.*at least 12 characters/);
    expect(failed).toMatchObject({ name: 'ConfigError', message });
  });

  it('may happen on several frontends at once: one account, one key, a password that works', async () => {
    const clouds = await Promise.all([start(), start()]);
    const shown = clouds.filter(({ cloud }) => cloud.firstAccount !== undefined);
    expect(shown).toHaveLength(1);
    const written = readFileSync(passwordPath(), 'utf8').trim();
    for (const one of clouds) {
      const { json: token } = await one.signIn('admin', written);
      for (const other of clouds) expect((await other.call('listAccounts', { token })).status).toBe(200);
    }
    expect(await clouds[0]?.store.keys.list()).toHaveLength(1);
  });
});

describe('the service around its routes', () => {
  it('has every route of the contract, its documentation and its readiness', async () => {
    const { url } = await start();
    const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
      paths: Record<string, object>;
    };
    const served = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const declared = Object.values(cloudApi).map(({ method, path }) => `${method} ${path}`);
    expect(served.sort()).toEqual(declared.sort());

    const home = await fetch(url, { redirect: 'manual' });
    expect([home.status, home.headers.get('location')]).toEqual([307, '/docs']);
    for (const path of ['/docs', '/docs/']) expect((await fetch(`${url}${path}`)).status).toBe(200);
    expect((await fetch(`${url}/v1/nothing`)).status).toBe(404);
    const wrongMethod = await fetch(`${url}/v1/authenticate`);
    expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'POST']);

    const ready = await fetch(`${url}/readyz?verbose`);
    expect(ready.status).toBe(200);
    const { checks } = (await ready.json()) as { checks: { name: string; ok: boolean }[] };
    expect(checks).toEqual(['store', 'keys', 'verifier'].map((name) => ({ name, ok: true })));
  });

  it('says in advance that its port is taken, and how to change it', async () => {
    const { url } = await start();
    const port = Number(new URL(url).port);
    await expect(start({ settings: { port } })).rejects.toThrow(/in use.*GANTRY_CLOUD_PORT/);
  });
});

describe('a store that fails', () => {
  /** The store, until it is switched off: then every call fails as a lost database does. */
  function switchable() {
    let isDown = false;
    const refuse = () => Promise.reject(new AppError('store-unavailable', 'The store is down'));
    const guard = <T extends object>(target: T): T =>
      new Proxy(target, {
        get: (object, name) => {
          const member: unknown = Reflect.get(object, name);
          if (typeof member === 'object' && member !== null) return guard(member);
          if (typeof member !== 'function') return member;
          return (...args: unknown[]) => (isDown ? refuse() : member.apply(object, args));
        },
      });
    return {
      wrapStore: (store: Store) => guard(store),
      down: (is: boolean) => {
        isDown = is;
      },
    };
  }

  it('is 503 for every route that needs it, with Retry-After; tokens and keys still work', async () => {
    const store = switchable();
    const cloud = await start({ wrapStore: store.wrapStore, settings: { refreshSeconds: 1 } });
    const token = await cloud.newUser('ada');
    store.down(true);
    const upload = { LANG: 'JS', FC: base64('x'), FC_HASH: 'h' };
    for (const answer of [
      await cloud.signIn('ada', 'correct horse battery'),
      await cloud.call('uploadFunction', { token, body: upload }),
      await cloud.call('createRequirement', { token, body: {} }),
      await cloud.call('readRequirement', { token, params: { id: 1 } }),
      await cloud.call('chooseClusters', { token, params: { id: 1 } }),
      await cloud.call('listFunctions', { token }),
      await cloud.call('listClusters', { token }),
      await cloud.call('revocations'),
      await cloud.call('rotateKey', { token: await cloud.adminToken() }),
    ]) {
      expect(problemOf(answer)).toEqual([503, 'store-unavailable']);
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    expect((await cloud.call('publicKey')).status).toBe(200);
    expect((await cloud.call('reportLatency', { token })).status).toBe(200);
    expect(problemOf(await cloud.call('listFunctions', { token: 'nonsense' }))).toEqual([
      401,
      'invalid-token',
    ]);
    const ready = await fetch(`${cloud.url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      checks: [{ name: 'store', ok: false, reason: 'The store is down' }],
    });
    store.down(false);
    expect((await cloud.call('listFunctions', { token })).status).toBe(200);
    expect((await fetch(`${cloud.url}/readyz`)).status).toBe(200);
  });
});

describe('the link for an edge frontend in the same process', () => {
  it('answers what the routes would', async () => {
    const cloud = await start();
    const token = await cloud.newUser('ada');
    const { link } = cloud.cloud;
    const ada = { user: 'ada', org: undefined, role: 'user' } as const;
    const bob = { ...ada, user: 'bob' };
    const upload = { LANG: 'JS', FC: base64('x'), FC_HASH: 'h' };
    const fn: number = (await cloud.call('uploadFunction', { token, body: upload })).json;
    const requirement: number = (await cloud.call('createRequirement', { token, body: {} })).json;
    expect(await link.readKeys()).toEqual([{ id: 1, publicKey: (await cloud.call('publicKey')).json }]);
    expect(await link.readRevoked()).toEqual([]);
    expect(await link.readFunction(fn, ada)).toMatchObject({ kind: 'found', document: { language: 'JS' } });
    expect(await link.readFunction(requirement, ada)).toEqual({ kind: 'wrong-type' });
    expect(await link.readRequirement(requirement, ada)).toMatchObject({
      kind: 'found',
      document: { owner: 'ada' },
    });
    expect(await link.readRequirement(requirement, bob)).toEqual({ kind: 'missing' });
    expect(Buffer.from((await link.readCode(fn, ada)) ?? []).toString()).toBe('x');
    expect(await link.readCode(fn, bob)).toBeUndefined();
    const report = { url: 'http://edge', flavours: ['Nature'], is_confidential: false, capacity: 1 };
    await expect(link.reportCluster('local', 'no token', report)).rejects.toMatchObject({
      code: 'invalid-service-credential',
    });
    await link.reportCluster('local', await link.enrolCluster('local'), report);
    expect((await cloud.call('chooseClusters', { token, params: { id: requirement } })).json).toHaveLength(1);
  });
});
