import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { base64, movableClock, problemOf, startCloud, type TestCloud } from '../cloud.fixture.js';

// Each start brings up the threads of a token verifier.
jest.setTimeout(30_000);

let cloud: TestCloud;
let admin: string;
let ada: string;
let clock: ReturnType<typeof movableClock>;
beforeAll(async () => {
  clock = movableClock();
  cloud = await startCloud({ clock });
  admin = await cloud.adminToken();
  ada = await cloud.newUser('ada');
});
beforeEach(async () => {
  for (const { name } of await cloud.store.clusters.list()) await cloud.store.clusters.remove(name);
});
afterAll(() => cloud.stop());

const report = { url: 'http://edge.example:1339/a', flavours: ['Nature'], capacity: 4 };
const enrol = async (name: string): Promise<string> =>
  (await cloud.call('enrolCluster', { token: admin, body: { name } })).json.enrolment_token;
const send = (name: string, enrolmentToken: string, body: unknown = report) =>
  cloud.call('reportCluster', {
    params: { name },
    headers: { authorization: `Bearer ${enrolmentToken}` },
    body,
  });
const choose = async (body: unknown) => {
  const id = (await cloud.call('createRequirement', { token: ada, body })).json;
  return cloud.call('chooseClusters', { token: ada, params: { id } });
};

describe('edge clusters', () => {
  it('register with their enrolment token, are offered while they report, and not 30 s after', async () => {
    const token = await enrol('north');
    expect((await send('north', token)).status).toBe(204);
    expect((await choose({})).json).toHaveLength(1);
    clock.advance(30_500);
    const refused = await choose({});
    expect(problemOf(refused)).toEqual([404, 'cluster-not-found']);
    expect(refused.json.detail).toContain('of 1, 1 not heard of for 30 s');
    const { json } = await cloud.call('listClusters', { token: ada });
    expect(json).toMatchObject([{ name: 'north', is_live: false }]);
    await send('north', token);
    expect((await choose({})).status).toBe(200);
    expect((await cloud.call('listClusters', { token: ada })).json[0].is_live).toBe(true);
  });

  it('report under their own name only, and not with an older token', async () => {
    const old = await enrol('north');
    const south = await enrol('south');
    const current = await enrol('north');
    for (const [name, token] of [
      ['north', old],
      ['north', south],
      ['nowhere', south],
    ] as const)
      expect(problemOf(await send(name, token))).toEqual([401, 'invalid-service-credential']);
    expect((await send('north', current)).status).toBe(204);
    const bare = await cloud.call('reportCluster', { params: { name: 'north' }, body: report });
    expect(problemOf(bare)).toEqual([401, 'invalid-service-credential']);
  });

  it('are shown before their first report too, and after they fell silent with the time of the last', async () => {
    const states = async () =>
      (await cloud.call('listClusters', { token: ada })).json.map(
        ({ name, state, last_seen }: Record<string, unknown>) => [name, state, last_seen],
      );
    const token = await enrol('north');
    expect(await states()).toEqual([['north', 'enrolled', null]]);
    const beforeMs = clock.now();
    await send('north', token);
    const [[name, state, seen]] = await states();
    expect([name, state]).toEqual(['north', 'live']);
    expect(Date.parse(seen)).toBeGreaterThanOrEqual(beforeMs);
    expect(Date.parse(seen)).toBeLessThanOrEqual(clock.now());
    clock.advance(30_500);
    await enrol('north');
    expect(await states()).toEqual([['north', 'silent', seen]]);
  });

  it.each([
    ['a URL with a slash at its end', { url: 'http://edge/' }, '/body/url'],
    ['a URL that is no HTTP', { url: 'ftp://edge' }, '/body/url'],
    ['a URL longer than the C client reads', { url: `http://edge/${'x'.repeat(1024)}` }, '/body/url'],
    ['a flavour with a dot', { flavours: ['a.b'] }, '/body/flavours/0'],
    ['a capacity below zero', { capacity: -1 }, '/body/capacity'],
  ])('may not report %s', async (_what, wrong, pointer) => {
    const answer = await send('north', await enrol('north'), { ...report, ...wrong });
    expect(problemOf(answer)).toEqual([422, 'invalid-request']);
    expect(answer.json.errors[0].pointer).toBe(pointer);
  });

  it.each(['', 'n'.repeat(50), 'a b', '.a'])(
    'may not be named %j: the C client has 50 bytes for it',
    async (name) => {
      const answer = await cloud.call('enrolCluster', { token: admin, body: { name } });
      expect(problemOf(answer)).toEqual([422, 'invalid-request']);
    },
  );

  it('are enrolled and removed by administrators only', async () => {
    const params = { name: 'north' };
    for (const answer of [
      await cloud.call('enrolCluster', { token: ada, body: params }),
      await cloud.call('removeCluster', { token: ada, params }),
    ])
      expect(problemOf(answer)).toEqual([403, 'forbidden']);
    const token = await enrol('north');
    await send('north', token);
    expect((await cloud.call('removeCluster', { token: admin, params })).status).toBe(204);
    expect(problemOf(await cloud.call('removeCluster', { token: admin, params }))).toEqual([
      404,
      'cluster-not-found',
    ]);
    expect(problemOf(await send('north', token))).toEqual([401, 'invalid-service-credential']);
  });
});

describe('the choice for a requirement', () => {
  it('is in the shape that both clients read, nearest first', async () => {
    const place = { latitude: 40.4, longitude: -3.7 };
    await send('far', await enrol('far'), { ...report, geolocation: '48.85,2.35', provider: 'P' });
    await send('near', await enrol('near'), { ...report, geolocation: place, flavours: ['Nature', 'B'] });
    await send('somewhere', await enrol('somewhere'), { ...report, geolocation: 'in the cellar' });
    const { json } = await choose({ GEOLOCATION: '43.26,-2.93' });
    expect(json.map(({ NAME }: { NAME: string }) => NAME)).toEqual(['near', 'far', 'somewhere']);
    expect(json[0]).toEqual({
      ID: expect.any(Number),
      NAME: 'near',
      HOSTS: [],
      DATASTORES: [],
      VNETS: [],
      TEMPLATE: {
        EDGE_CLUSTER_FRONTEND: 'http://edge.example:1339/a',
        FLAVOURS: 'Nature,B',
        GEOLOCATION: '40.4,-3.7',
        IS_CONFIDENTIAL: 'FALSE',
      },
    });
    expect(json[1].TEMPLATE).toMatchObject({ GEOLOCATION: '48.85,2.35', PROVIDER: 'P' });
    expect(json[2].TEMPLATE).not.toHaveProperty('GEOLOCATION');
  });

  it('says why there is none', async () => {
    expect((await choose({})).json.detail).toContain('no edge cluster is enrolled');
    await send('a', await enrol('a'), { ...report, flavours: [] });
    await send('b', await enrol('b'), { ...report, provider: 'P' });
    const refused = await choose({ PROVIDERS: ['Q'] });
    expect(problemOf(refused)).toEqual([404, 'cluster-not-found']);
    expect(refused.json.detail).toMatch(
      /of 2, 1 without a runtime for the flavour "Nature"; 1 of none of .* Q$/,
    );
    expect((await choose({ IS_CONFIDENTIAL: true })).json.detail).toContain('1 not confidential');
  });

  it('fits into the 30 000 bytes that the C client has', async () => {
    const flavours = [
      'Nature',
      ...Array.from({ length: 100 }, (_, index) => `flavour-${index}-${'x'.repeat(30)}`),
    ];
    for (let index = 0; index < 10; index += 1)
      await cloud.cloud.link.reportCluster(`c${index}`, await cloud.cloud.link.enrolCluster(`c${index}`), {
        ...report,
        flavours,
        is_confidential: false,
      });
    const { text, json } = await choose({});
    expect(Buffer.byteLength(text)).toBeLessThan(29_999);
    expect(json.length).toBeGreaterThanOrEqual(1);
    expect(json[0].NAME).toBe('c0');
  });

  it('is 404 for a function, a foreign requirement and an id that was never given', async () => {
    const upload = { LANG: 'JS', FC: base64('x'), FC_HASH: 'h' };
    const fn = (await cloud.call('uploadFunction', { token: ada, body: upload })).json;
    const foreign = (await cloud.call('createRequirement', { token: admin, body: {} })).json;
    for (const id of [fn, foreign, 4711]) {
      const answer = await cloud.call('chooseClusters', { token: ada, params: { id } });
      expect(problemOf(answer)).toEqual([404, 'document-not-found']);
    }
  });
});

describe('reported latencies', () => {
  it.each<[unknown]>([[undefined], [{ a: 12 }], [[1, 2]], ['"text"'], ['null'], [7]])(
    '%j is answered 200 and null',
    async (body) => {
      const answer = await cloud.call('reportLatency', {
        token: ada,
        ...(body === undefined ? {} : { body }),
      });
      expect([answer.status, answer.text]).toEqual([200, 'null']);
    },
  );

  it('become a metric in seconds', async () => {
    const read = async (what: 'count' | 'sum') => {
      const { text } = await cloud.metrics.expose();
      return Number(new RegExp(`^device_latency_seconds_${what} (.+)$`, 'm').exec(text)?.[1]);
    };
    const [count, sum] = [await read('count'), await read('sum')];
    await cloud.call('reportLatency', { token: ada, body: { device_id: 7, near: 12, far: 250 } });
    expect(await read('count')).toBe(count + 2);
    expect((await read('sum')) - sum).toBeCloseTo(0.262, 6);
  });
});
