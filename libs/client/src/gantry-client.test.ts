import { cloudApi, edgeApi, type RouteContract } from '@gantry/contracts';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type PeerAnswer,
  type PeerRequest,
  problemReply,
  startPeer,
  unusedUrl,
} from './fake-peer.fixture.js';
import { GantryClient, type GantryError, isGantryError } from './index.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function startCloud(answer: (request: PeerRequest) => PeerAnswer | Promise<PeerAnswer>) {
  const peer = await startPeer((request) =>
    request.path === '/v1/authenticate' ? { status: 201, json: 'token-1' } : answer(request),
  );
  stops.push(peer.stop);
  return peer;
}

const credentials = { name: 'ada', password: 'pässwörd:12345' };
const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => {
      throw new Error('it should have failed');
    },
    (error: unknown) => error as GantryError,
  );

describe('every route that a person or a device calls', () => {
  const page = { items: [], next_cursor: null };
  const id = 7;
  const calls: [RouteContract, unknown, (client: GantryClient, url: string) => Promise<unknown>, unknown?][] =
    [
      [
        cloudApi.createAccount,
        { name: 'bob' },
        (c) => c.createAccount({ name: 'bob', password: 'x'.repeat(12) }),
      ],
      [cloudApi.listAccounts, page, (c) => c.listAccounts().page(), page],
      [cloudApi.deleteAccount, undefined, (c) => c.deleteAccount('bob@example')],
      [cloudApi.setAccountPassword, undefined, (c) => c.setAccountPassword('bob', 'x'.repeat(12))],
      [cloudApi.setOwnPassword, undefined, (c) => c.setOwnPassword({ current: 'a', next: 'x'.repeat(12) })],
      [cloudApi.publicKey, 'ab', (c) => c.readPublicKey()],
      [cloudApi.publicKeys, [], (c) => c.listKeys()],
      [cloudApi.rotateKey, { id: 2 }, (c) => c.rotateKey()],
      [cloudApi.revocations, { revocation_ids: ['ab'] }, (c) => c.listRevocations(), ['ab']],
      [cloudApi.revokeToken, undefined, (c) => c.revokeToken('ab'.repeat(64))],
      [cloudApi.uploadFunction, 5, (c) => c.uploadFunction({ LANG: 'JS', FC: 'eA==', FC_HASH: '' })],
      [cloudApi.listFunctions, page, (c) => c.listFunctions({ limit: 3 }).page(), page],
      [cloudApi.readFunction, { id }, (c) => c.readFunction(id)],
      [cloudApi.readFunctionCode, 'code', (c) => c.readFunctionCode(id), new TextEncoder().encode('"code"')],
      [cloudApi.deleteFunction, undefined, (c) => c.deleteFunction(id)],
      [cloudApi.createRequirement, 6, (c) => c.createRequirement({ FLAVOUR: 'Nature' })],
      [cloudApi.listRequirements, page, (c) => c.listRequirements().page(), page],
      [cloudApi.readRequirement, { FLAVOUR: 'Nature' }, (c) => c.readRequirement(id)],
      [cloudApi.replaceRequirement, null, (c) => c.replaceRequirement(id, {}), undefined],
      [cloudApi.deleteRequirement, undefined, (c) => c.deleteRequirement(id)],
      [cloudApi.chooseClusters, [], (c) => c.chooseClusters(id)],
      [cloudApi.reportLatency, null, (c) => c.reportLatency({ local: 3 }), undefined],
      [cloudApi.listClusters, [], (c) => c.listClusters()],
      [cloudApi.enrolCluster, { name: 'n', enrolment_token: 't' }, (c) => c.enrolCluster('n'), 't'],
      [cloudApi.removeCluster, undefined, (c) => c.removeCluster('n')],
      [edgeApi.readExecution, { status: 'queued' }, (c, url) => c.edge(url).readExecution('x')],
      [edgeApi.listExecutions, page, (c, url) => c.edge(url).listExecutions({ functionId: 3 }).page(), page],
      [
        edgeApi.cancelExecution,
        { execution_id: 'x', status: 'cancelled' },
        (c, url) => c.edge(url).cancelExecution('x'),
      ],
      [edgeApi.readExecutionLogs, 'a log', (c, url) => c.edge(url).readLogs('x'), '"a log"'],
      [edgeApi.listFlavours, [], (c, url) => c.edge(url).listFlavours()],
      [
        edgeApi.scaleRuntimes,
        { final_cardinality: 2 },
        (c, url) => c.edge(url).scaleRuntimes({ count: 2, flavour: 'Nature' }),
      ],
      [edgeApi.reportDeviceMetrics, null, (c, url) => c.edge(url).reportMetrics({ cpu: 1 }), undefined],
    ];

  it.each(
    calls.map((call) => {
      const [contract, json, invoke] = call;
      const expected = call.length === 4 ? call[3] : json;
      return [`${contract.method} ${contract.path}`, contract, json, invoke, expected] as const;
    }),
  )('%s is sent as its contract says', async (_name, contract, json, invoke, expected) => {
    const peer = await startCloud(() => (json === undefined ? { status: 204 } : { status: 200, json }));
    const client = new GantryClient({ cloudUrl: peer.url, credentials });
    expect(await invoke(client, peer.url)).toEqual(expected);
    const request = peer.requests.at(-1);
    expect(request?.method).toBe(contract.method.toUpperCase());
    expect(request?.path).toMatch(new RegExp(`^${contract.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`));
    expect(request?.headers.authorization).toBe(contract.auth === 'none' ? undefined : 'Bearer token-1');
    if (contract.body !== undefined)
      expect(contract.body.safeParse(JSON.parse(request?.body ?? '')).error?.issues ?? []).toEqual([]);
    if (contract.query !== undefined)
      expect(contract.query.safeParse(Object.fromEntries(request?.query ?? [])).success).toBe(true);
  });

  it('none is forgotten', () => {
    const tested = new Set(calls.map(([contract]) => contract));
    const elsewhere = [cloudApi.authenticate, edgeApi.executeFunction];
    const services = [cloudApi.reportCluster, edgeApi.fetchPayload];
    for (const contract of [...Object.values(cloudApi), ...Object.values(edgeApi)] as RouteContract[])
      if (![...elsewhere, ...services].includes(contract as never))
        expect([contract.path, tested.has(contract)]).toEqual([contract.path, true]);
  });

  it('names in paths and queries are escaped', async () => {
    const peer = await startCloud(() => ({ status: 204 }));
    const client = new GantryClient({ cloudUrl: `${peer.url}/prefix/`, credentials: { token: 't' } });
    await client.deleteAccount('a/b ?');
    expect(peer.requests[0]?.path).toBe('/prefix/v1/accounts/a%2Fb%20%3F');
  });
});

describe('executions', () => {
  const input = { functionId: 3, requirementId: 4, parameters: ['MQ=='] };

  it('sync answers the result and the id of the execution', async () => {
    const peer = await startCloud(() => ({
      status: 200,
      json: { ret_code: 0, res: 'Mg==', err: null },
      headers: { 'x-execution-id': 'fe1.abc' },
    }));
    const edge = new GantryClient({ cloudUrl: peer.url, credentials }).edge(peer.url);
    expect(await edge.execute(input)).toEqual({
      ret_code: 0,
      res: 'Mg==',
      err: null,
      executionId: 'fe1.abc',
    });
    const request = peer.requests.at(-1);
    expect(`${request?.path}?${request?.query}`).toBe('/v1/functions/3/execute?app_req_id=4&mode=sync');
    expect(request?.body).toBe('["MQ=="]');
  });

  it('async answers what was accepted', async () => {
    const peer = await startCloud(() => ({
      status: 202,
      json: { execution_id: 'async.1', status: 'queued' },
    }));
    const edge = new GantryClient({ cloudUrl: peer.url, credentials }).edge(peer.url);
    expect(await edge.executeAsync(input)).toEqual({ execution_id: 'async.1', status: 'queued' });
    expect(peer.requests.at(-1)?.query.get('mode')).toBe('async');
  });

  it('an answer without a result is not taken for one', async () => {
    const peer = await startCloud(() => ({ status: 200, json: { hello: 'world' } }));
    const edge = new GantryClient({ cloudUrl: peer.url, credentials }).edge(peer.url);
    expect(await failureOf(edge.execute(input))).toMatchObject({ code: 'unexpected-answer', status: 200 });
  });
});

describe('tokens', () => {
  it('are fetched once with Basic for any number of calls', async () => {
    const peer = await startCloud(() => ({ status: 200, json: [] }));
    const client = new GantryClient({ cloudUrl: peer.url, credentials });
    await Promise.all([client.listClusters(), client.listClusters(), client.listClusters()]);
    const signIns = peer.requests.filter(({ path }) => path === '/v1/authenticate');
    expect(signIns).toHaveLength(1);
    const basic = signIns[0]?.headers.authorization?.replace('Basic ', '') ?? '';
    expect(Buffer.from(basic, 'base64').toString()).toBe('ada:pässwörd:12345');
    expect([signIns[0]?.method, signIns[0]?.body]).toEqual(['POST', '']);
  });

  it('are renewed once when they have expired, and not a second time', async () => {
    let issued = 0;
    let accepted = 'token-2';
    const peer = await startPeer(({ path, headers }) => {
      if (path === '/v1/authenticate') {
        issued += 1;
        return { status: 201, json: `token-${issued}` };
      }
      if (headers.authorization === `Bearer ${accepted}`) return { status: 200, json: [] };
      return problemReply(401, 'token-expired');
    });
    stops.push(peer.stop);
    const client = new GantryClient({ cloudUrl: peer.url, credentials });
    await Promise.all([client.listClusters(), client.listClusters()]);
    expect(issued).toBe(2);
    accepted = 'none';
    expect(await failureOf(client.listClusters())).toMatchObject({ code: 'token-expired', status: 401 });
    expect(issued).toBe(3);
  });

  it('that were given are not renewed', async () => {
    const peer = await startCloud(() => problemReply(401, 'token-expired'));
    const client = new GantryClient({ cloudUrl: peer.url, credentials: { token: 'mine' } });
    expect(await client.authenticate()).toBe('mine');
    expect(await failureOf(client.listClusters())).toMatchObject({ code: 'token-expired' });
    expect(peer.calls()).toEqual(['GET /v1/clusters']);
  });

  it('a credentials function is asked again at each sign-in', async () => {
    const peer = await startCloud(({ headers }) =>
      headers.authorization === 'Bearer second'
        ? { status: 200, json: [] }
        : problemReply(401, 'token-revoked'),
    );
    const tokens = ['first', 'second'];
    const client = new GantryClient({
      cloudUrl: peer.url,
      credentials: () => ({ token: tokens.shift() ?? '' }),
    });
    expect(await client.listClusters()).toEqual([]);
  });

  it('a wrong password is the problem that was answered', async () => {
    const peer = await startPeer(() => problemReply(401, 'invalid-credentials'));
    stops.push(peer.stop);
    const client = new GantryClient({ cloudUrl: peer.url, credentials });
    expect(await failureOf(client.listClusters())).toMatchObject({ code: 'invalid-credentials' });
    expect(peer.requests).toHaveLength(1);
  });
});

describe('lists', () => {
  it('are fetched page by page, and only as far as they are read', async () => {
    const peer = await startCloud(({ query }) => {
      const page = Number(query.get('cursor') ?? 0);
      const items = [{ id: page * 2 }, { id: page * 2 + 1 }];
      return { status: 200, json: { items, next_cursor: page < 2 ? String(page + 1) : null } };
    });
    const client = new GantryClient({ cloudUrl: peer.url, credentials: { token: 't' } });
    const ids: number[] = [];
    for await (const { id } of client.listFunctions({ limit: 2 })) ids.push(id);
    expect(ids).toEqual([0, 1, 2, 3, 4, 5]);
    expect(peer.requests.map(({ query }) => [query.get('limit'), query.get('cursor')])).toEqual([
      ['2', null],
      ['2', '1'],
      ['2', '2'],
    ]);
    peer.requests.length = 0;
    expect(await client.listFunctions().toArray(2)).toHaveLength(2);
    expect(peer.requests).toHaveLength(1);
  });
});

describe('errors', () => {
  it.each([301, 302, 303, 307, 308])('a redirect (%i) is one, and is not followed', async (status) => {
    const elsewhere = await startCloud(() => ({ status: 200, json: [] }));
    const cloud = await startCloud(() => ({ status, headers: { location: `${elsewhere.url}/v1/clusters` } }));
    const client = new GantryClient({ cloudUrl: cloud.url, credentials });
    expect(await failureOf(client.listClusters())).toMatchObject({ code: 'unexpected-answer', status });
    const plugin = client.bridge(cloud.url).node('n').plugin('jobs');
    expect(await failureOf(plugin.request('jobs', { method: 'POST', body: '{}' }))).toMatchObject({ status });
    expect(elsewhere.calls()).toEqual([]);
  });

  it('carry everything that a problem says', async () => {
    const errors = [{ pointer: '/body/0', detail: 'must be base64' }];
    const peer = await startCloud(() =>
      problemReply(422, 'invalid-request', { errors, retry_after_ms: 1500 }),
    );
    const client = new GantryClient({ cloudUrl: peer.url, credentials: { token: 't' } });
    const error = await failureOf(client.listClusters());
    expect(error).toMatchObject({
      name: 'GantryError',
      message: 'invalid-request: detail of invalid-request',
      code: 'invalid-request',
      status: 422,
      detail: 'detail of invalid-request',
      errors,
      requestId: 'r-1',
      retryAfterMs: 1500,
      url: `${peer.url}/v1/clusters`,
    });
    expect(isGantryError(error, 'invalid-request')).toBe(true);
    expect(isGantryError(new Error('x'))).toBe(false);
  });

  it.each([
    ['a page of HTML', { status: 502, text: '<h1>Bad gateway</h1>', headers: { 'retry-after': '3' } }],
    [
      'a code of the future',
      { status: 502, json: { code: 'from-the-future', detail: 'x' }, headers: { 'retry-after': '3' } },
    ],
  ])('%s is an unexpected answer that names the URL', async (_name, reply) => {
    const peer = await startCloud(() => reply);
    const client = new GantryClient({ cloudUrl: peer.url, credentials: { token: 't' } });
    const error = await failureOf(client.listClusters());
    expect(error).toMatchObject({ code: 'unexpected-answer', status: 502, retryAfterMs: 3000 });
    expect(error.detail).toContain(`${peer.url}/v1/clusters`);
  });

  it('a success that is not JSON is an unexpected answer', async () => {
    const peer = await startCloud(() => ({ status: 200, text: '<html>sign in to the wifi</html>' }));
    const client = new GantryClient({ cloudUrl: peer.url, credentials: { token: 't' } });
    expect(await failureOf(client.listClusters())).toMatchObject({ code: 'unexpected-answer', status: 200 });
  });

  it('nobody listening is unreachable, and surely nothing was sent', async () => {
    const cloudUrl = await unusedUrl();
    const error = await failureOf(new GantryClient({ cloudUrl, credentials }).listClusters());
    expect(error).toMatchObject({ code: 'unreachable', status: 0, isUnsent: true });
    expect(error.detail).toContain(cloudUrl);
  });

  it('a broken connection is unreachable, and may have been sent', async () => {
    const peer = await startCloud(() => 'break');
    const client = new GantryClient({ cloudUrl: peer.url, credentials });
    expect(await failureOf(client.listClusters())).toMatchObject({ code: 'unreachable', isUnsent: false });
  });

  it('no answer in time is a timeout', async () => {
    const peer = await startCloud(() => 'hang');
    const client = new GantryClient({ cloudUrl: peer.url, credentials: { token: 't' }, timeoutMs: 20_000 });
    const error = await failureOf(client.listClusters({ timeoutMs: 50 }));
    expect(error).toMatchObject({
      code: 'timeout',
      detail: `${peer.url}/v1/clusters did not answer within 50 ms`,
    });
  });

  it('an aborted signal rejects with its reason, also during the sign-in of others', async () => {
    const peer = await startPeer(() => 'hang');
    stops.push(peer.stop);
    const client = new GantryClient({ cloudUrl: peer.url, credentials, timeoutMs: 500 });
    const abort = new AbortController();
    const other = failureOf(client.listClusters());
    const aborted = failureOf(client.listClusters({ signal: abort.signal }));
    const reason = new Error('the page was left');
    abort.abort(reason);
    expect(await aborted).toBe(reason);
    expect(await failureOf(client.listClusters({ signal: abort.signal }))).toBe(reason);
    expect(await other).toMatchObject({ code: 'timeout' });
  });

  it('a call that needs credentials says so when there are none', async () => {
    const client = new GantryClient({ cloudUrl: 'http://127.0.0.1:1' });
    expect((await failureOf(client.listClusters())).message).toContain('needs credentials');
  });
});
