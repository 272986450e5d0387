import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { base64, problemOf, startCloud, type TestCloud } from '../cloud.fixture.js';

// Each start brings up the threads of a token verifier.
jest.setTimeout(30_000);

let cloud: TestCloud;
let ada: string;
let bob: string;
beforeAll(async () => {
  cloud = await startCloud();
  ada = await cloud.newUser('ada');
  bob = await cloud.newUser('bob');
});
afterAll(() => cloud.stop());

const create = async (token: string, body: unknown): Promise<number> =>
  (await cloud.call('createRequirement', { token, body })).json;
const read = (token: string, id: number | string) => cloud.call('readRequirement', { token, params: { id } });

describe('requirements on the wire', () => {
  it('have ids from 1 up, as bare integers, in one sequence with functions', async () => {
    const first = await cloud.call('createRequirement', { token: ada, body: {} });
    expect(first.text).toBe('1');
    const second = await cloud.call('uploadFunction', {
      token: ada,
      body: { LANG: 'JS', FC: base64('export default 1'), FC_HASH: 'h' },
    });
    expect(second.text).toBe('2');
    expect(await create(ada, {})).toBe(3);
  });

  it('are read back with the defaults of the original', async () => {
    const answer = await read(ada, await create(ada, {}));
    expect(answer.json).toEqual({
      FLAVOUR: 'Nature',
      MAX_LATENCY: 10,
      MAX_FUNCTION_EXECUTION_TIME: 1,
      MIN_ENERGY_RENEWABLE_USAGE: 80,
      GEOLOCATION: null,
      ID: null,
      IS_CONFIDENTIAL: false,
      PROVIDERS: [],
    });
    expect(answer.headers.get('x-gantry-owner')).toBe('ada');
    expect(answer.headers.get('x-gantry-max-run-ms')).toBeNull();
  });

  it('tell edge frontends the run limit only when the client sent one', async () => {
    const answer = await read(ada, await create(ada, { MAX_FUNCTION_EXECUTION_TIME: 1.0 }));
    expect(answer.headers.get('x-gantry-max-run-ms')).toBe('1000');
  });

  it('with a key that looks mistyped are taken, and a header says what was ignored', async () => {
    const body = { FLAVOUR: 'Nature', MAX_MEMORY: 64, flavor: 'GPU', MAX_SPEED: 1, colour: 'red', 'ID\n': 1 };
    const created = await cloud.call('createRequirement', { token: ada, body });
    const expected =
      'MAX_MEMORY is ignored; did you mean MAX_MEMORY_MIB? flavor is ignored; did you mean FLAVOUR? MAX_SPEED is ignored: no such key';
    expect([created.status, created.headers.get('gantry-warning')]).toEqual([200, expected]);
    const params = { id: created.json };
    const replaced = await cloud.call('replaceRequirement', { token: ada, params, body });
    expect([replaced.json, replaced.headers.get('gantry-warning')]).toEqual([null, expected]);
    const fine = await cloud.call('createRequirement', { token: ada, body: { fresh: true, MAX_LATENCY: 5 } });
    expect(fine.headers.get('gantry-warning')).toBeNull();
  });

  it.each([
    ['an object', { latitude: 43.05, longitude: -2.53 }],
    ['two numbers in a text', '43.05,-2.53'],
    ['free text', 'IKERLAN ARRASATE/MONDRAGON 20500'],
  ])('keep a geolocation given as %s', async (_shape, GEOLOCATION) => {
    expect((await read(ada, await create(ada, { GEOLOCATION }))).json.GEOLOCATION).toEqual(GEOLOCATION);
  });

  it.each(['MIN_RENEWABLE_USAGE', 'MIN_ENERGY_RENEWABLE_USAGE'])('understand %s', async (key) => {
    expect((await read(ada, await create(ada, { [key]: 42 }))).json.MIN_ENERGY_RENEWABLE_USAGE).toBe(42);
  });

  it('ignore unknown keys, and take null for absent', async () => {
    const id = await create(ada, {
      FLAVOUR: null,
      SCHEDULING_POLICY: 'energy',
      REQUIREMENT: 'cpu = amd',
      x: { y: 1 },
    });
    const { json } = await read(ada, id);
    expect(json.FLAVOUR).toBe('Nature');
    expect(json).not.toHaveProperty('x');
  });

  it('take a flavour that nobody has heard of', async () => {
    const FLAVOUR = 'Not_yet-there';
    expect((await read(ada, await create(ada, { FLAVOUR }))).json.FLAVOUR).toBe(FLAVOUR);
  });

  it.each(['', '../../x', 'x'.repeat(65)])('refuse one that nobody can ever serve: %j', async (FLAVOUR) => {
    const answer = await cloud.call('createRequirement', { token: ada, body: { FLAVOUR } });
    expect(answer.status).toBe(422);
    expect(answer.json.detail).toMatch(/FLAVOUR.*must be 1 to 64 letters, digits, "-" or "_"/);
  });

  it('take `fresh` as FRESH, and warn of nothing', async () => {
    const created = await cloud.call('createRequirement', { token: ada, body: { fresh: true } });
    expect(created.headers.get('gantry-warning')).toBeNull();
    expect((await read(ada, created.json)).json.FRESH).toBe(true);
  });

  it('are replaced as a whole, with 200 and null', async () => {
    const id = await create(ada, { FLAVOUR: 'A', PROVIDERS: ['p'] });
    const replaced = await cloud.call('replaceRequirement', {
      token: ada,
      params: { id },
      body: { FLAVOUR: 'B' },
    });
    expect([replaced.status, replaced.text]).toEqual([200, 'null']);
    expect((await read(ada, id)).json).toMatchObject({ FLAVOUR: 'B', PROVIDERS: [] });
  });

  it('are deleted with 204 and no body', async () => {
    const id = await create(ada, {});
    expect((await cloud.call('deleteRequirement', { token: ada, params: { id } })).status).toBe(204);
    expect(problemOf(await read(ada, id))).toEqual([404, 'document-not-found']);
    const again = await cloud.call('deleteRequirement', { token: ada, params: { id } });
    expect(problemOf(again)).toEqual([404, 'document-not-found']);
  });

  it('are listed by cursor, own ones only; administrators see all', async () => {
    const mine = [
      await create(bob, { FLAVOUR: 'A' }),
      await create(bob, { FLAVOUR: 'B' }),
      await create(bob, {}),
    ];
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const query = cursor === null ? { limit: 2 } : { limit: 2, cursor };
      const { json } = await cloud.call('listRequirements', { token: bob, query });
      seen.push(...json.items.map(({ id }: { id: number }) => id));
      cursor = json.next_cursor;
    } while (cursor !== null);
    expect(seen.sort((a, b) => a - b)).toEqual(mine);
    const all = await cloud.call('listRequirements', {
      token: await cloud.adminToken(),
      query: { limit: 200 },
    });
    expect(all.json.items.length).toBeGreaterThan(mine.length);
  });
});

describe('what is refused', () => {
  it.each([
    ['no body', undefined, '/body'],
    ['no JSON', '{', '/body'],
    ['a list', [], '/body'],
    ['a latency below zero', { MAX_LATENCY: -1 }, '/body/MAX_LATENCY'],
    ['no time to run', { MAX_FUNCTION_EXECUTION_TIME: 0 }, '/body/MAX_FUNCTION_EXECUTION_TIME'],
    ['a share above 100 %', { MIN_RENEWABLE_USAGE: 101 }, '/body/MIN_RENEWABLE_USAGE'],
    ['a flavour that is no text', { FLAVOUR: 7 }, '/body/FLAVOUR'],
  ])('%s is 422 and says where', async (_what, body, pointer) => {
    const answer = await cloud.call('createRequirement', {
      token: ada,
      ...(body === undefined ? {} : { body }),
    });
    expect(problemOf(answer)).toEqual([422, 'invalid-request']);
    expect(answer.json.errors[0].pointer).toBe(pointer);
  });

  it('a body above 64 KiB is 413', async () => {
    const answer = await cloud.call('createRequirement', { token: ada, body: { x: 'x'.repeat(70_000) } });
    expect(problemOf(answer)).toEqual([413, 'body-too-large']);
  });

  it.each(['0', '-1', '1.5', 'x', '9007199254740992', '1e400'])('the id %s is 422', async (id) => {
    expect(problemOf(await read(ada, id))).toEqual([422, 'invalid-request']);
  });

  it('a function under this path is 405, as in the original', async () => {
    const upload = { LANG: 'JS', FC: base64('export default 2'), FC_HASH: 'h' };
    const id = (await cloud.call('uploadFunction', { token: ada, body: upload })).json;
    for (const [name, body] of [
      ['readRequirement'],
      ['deleteRequirement'],
      ['replaceRequirement', {}],
    ] as const) {
      const answer = await cloud.call(name, {
        token: ada,
        params: { id },
        ...(body === undefined ? {} : { body }),
      });
      expect(problemOf(answer)).toEqual([405, 'wrong-document-type']);
      expect(answer.headers.get('allow')).toBe('');
    }
  });

  it('the document of another account does not exist, whatever its kind; administrators may', async () => {
    const requirement = await create(ada, {});
    const upload = { LANG: 'JS', FC: base64('export default 3'), FC_HASH: 'h' };
    const fn = (await cloud.call('uploadFunction', { token: ada, body: upload })).json;
    for (const id of [requirement, fn]) {
      expect(problemOf(await read(bob, id))).toEqual([404, 'document-not-found']);
      const params = { id };
      expect((await cloud.call('deleteRequirement', { token: bob, params })).status).toBe(404);
      expect((await cloud.call('replaceRequirement', { token: bob, params, body: {} })).status).toBe(404);
    }
    expect((await read(await cloud.adminToken(), requirement)).headers.get('x-gantry-owner')).toBe('ada');
  });

  it.each<[string, Record<string, string>, number, string]>([
    ['no token', {}, 400, 'missing-token'],
    ['a token of nonsense', { token: 'nonsense' }, 401, 'invalid-token'],
    ['a bearer of nonsense', { authorization: 'Bearer nonsense' }, 401, 'invalid-token'],
  ])('%s', async (_what, headers, status, code) => {
    expect(problemOf(await cloud.call('createRequirement', { headers, body: {} }))).toEqual([status, code]);
  });

  it('a token as Bearer is as good as in the header token', async () => {
    const headers = { authorization: `Bearer ${ada}` };
    expect((await cloud.call('createRequirement', { headers, body: {} })).status).toBe(200);
  });
});
