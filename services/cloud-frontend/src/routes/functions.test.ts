import { createHash } from 'node:crypto';
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

const upload = (token: string, body: Readonly<Record<string, unknown>>) =>
  cloud.call('uploadFunction', { token, body: { LANG: 'JS', FC_HASH: 'h', FC: base64('code'), ...body } });
const idOf = async (token: string, source: string, LANG = 'JS'): Promise<number> =>
  (await upload(token, { FC: base64(source), LANG })).json;

describe('uploading', () => {
  it('answers 200 and the id as a bare integer; the same function again answers the same id', async () => {
    const first = await upload(ada, { FC: base64('export default () => 1') });
    expect([first.status, first.text]).toEqual([200, '1']);
    const again = await upload(ada, { FC: base64('export default () => 1'), FC_HASH: 'another' });
    expect(again.text).toBe('1');
  });

  it('gives two functions with one FC_HASH two ids, where the original ran the wrong one', async () => {
    expect(await idOf(ada, 'a + 1')).not.toBe(await idOf(ada, 'a + 1000'));
  });

  it('takes the same code in another language, or of another owner, for another function', async () => {
    const ids = [await idOf(ada, 'same'), await idOf(ada, 'same', 'PY'), await idOf(bob, 'same')];
    expect(new Set(ids).size).toBe(3);
  });

  it('stores a function once, however many uploads come at once', async () => {
    const source = base64('concurrent');
    const answers = await Promise.all(Array.from({ length: 20 }, () => upload(ada, { FC: source })));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
  });

  it.each(['PY', 'C', 'JS'])('takes %s', async (LANG) => {
    expect((await upload(ada, { LANG, FC: base64(`lang ${LANG}`) })).status).toBe(200);
  });

  it.each(['WASM', 'py', 'COBOL', ''])(
    'refuses the language %j and names the ones there are',
    async (LANG) => {
      const answer = await upload(ada, { LANG });
      expect(problemOf(answer)).toEqual([422, 'unsupported-language']);
      expect(answer.json.detail).toContain('PY, C, JS');
    },
  );

  it.each([
    ['no FC', { FC: undefined }, '/body/FC'],
    ['an empty FC', { FC: '' }, '/body/FC'],
    ['an FC that is not base64', { FC: 'not base64!' }, '/body/FC'],
    ['an FC with missing padding', { FC: 'YQ' }, '/body/FC'],
    ['no FC_HASH', { FC_HASH: undefined }, '/body/FC_HASH'],
    ['no LANG', { LANG: undefined }, '/body/LANG'],
  ])('refuses %s', async (_what, body, pointer) => {
    const answer = await upload(ada, body);
    expect(problemOf(answer)).toEqual([422, 'invalid-request']);
    expect(answer.json.errors[0].pointer).toBe(pointer);
  });

  it('takes 20 MB of base64 and refuses 40 MB', async () => {
    const large = Buffer.alloc(15 * 1024 * 1024, 'x');
    const { json: id, status } = await upload(ada, { FC: large.toString('base64') });
    expect(status).toBe(200);
    const { json } = await cloud.call('readFunction', { token: ada, params: { id } });
    expect(json.sha256).toBe(createHash('sha256').update(large).digest('hex'));
    const tooLarge = await upload(ada, { FC: 'A'.repeat(40 * 1024 * 1024) });
    expect(problemOf(tooLarge)).toEqual([413, 'body-too-large']);
  }, 30_000);

  it('keeps to the quota of the account, in functions and in bytes', async () => {
    const few = await cloud.newUser('few', { quota_functions: 1 });
    expect((await upload(few, { FC: base64('one') })).status).toBe(200);
    expect((await upload(few, { FC: base64('one') })).status).toBe(200);
    expect(problemOf(await upload(few, { FC: base64('two') }))).toEqual([403, 'quota-exceeded']);
    const small = await cloud.newUser('small', { quota_function_bytes: 3 });
    expect(problemOf(await upload(small, { FC: base64('four') }))).toEqual([403, 'quota-exceeded']);
  });
});

describe('reading', () => {
  it('shows what was stored, with the sha256 of the decoded bytes', async () => {
    const id = (await upload(ada, { FC: base64('read me'), FC_HASH: 'mine', NAME: 'reader' })).json;
    const { json } = await cloud.call('readFunction', { token: ada, params: { id } });
    expect(json).toMatchObject({
      id,
      owner: 'ada',
      name: 'reader',
      LANG: 'JS',
      FC_HASH: 'mine',
      size_bytes: 7,
    });
    expect(json.sha256).toBe(createHash('sha256').update('read me').digest('hex'));
  });

  it('answers the code as it was, byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    const id = (await upload(ada, { FC: bytes.toString('base64') })).json;
    const response = await fetch(`${cloud.url}/v1/functions/${id}/code`, { headers: { token: ada } });
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('lists own functions by cursor; administrators see all', async () => {
    const carol = await cloud.newUser('carol');
    const ids = [await idOf(carol, 'c1'), await idOf(carol, 'c2')];
    const first = await cloud.call('listFunctions', { token: carol, query: { limit: 1 } });
    expect(first.json.items).toHaveLength(1);
    const query = { limit: 1, cursor: first.json.next_cursor };
    const second = await cloud.call('listFunctions', { token: carol, query });
    expect(second.json.next_cursor).toBeNull();
    const seen = [...first.json.items, ...second.json.items].map(({ id }: { id: number }) => id);
    expect(seen.sort((a, b) => a - b)).toEqual(ids);
    const all = await cloud.call('listFunctions', { token: await cloud.adminToken(), query: { limit: 200 } });
    expect(all.json.items.map(({ owner }: { owner: string }) => owner)).toEqual(
      expect.arrayContaining(['ada', 'bob', 'carol']),
    );
  });

  it.each([{ limit: 0 }, { limit: 201 }, { cursor: 'made-up' }])('refuses the page %j', async (query) => {
    expect(problemOf(await cloud.call('listFunctions', { token: ada, query }))).toEqual([
      422,
      'invalid-request',
    ]);
  });

  it('deletes with 204, once; its id never comes back', async () => {
    const id = await idOf(ada, 'short-lived');
    expect((await cloud.call('deleteFunction', { token: ada, params: { id } })).status).toBe(204);
    for (const name of ['readFunction', 'readFunctionCode', 'deleteFunction'] as const)
      expect(problemOf(await cloud.call(name, { token: ada, params: { id } }))).toEqual([
        404,
        'document-not-found',
      ]);
    expect(await idOf(ada, 'short-lived')).toBeGreaterThan(id);
  });

  it('a requirement under this path, and the function of another account, do not exist', async () => {
    const requirement = (await cloud.call('createRequirement', { token: bob, body: {} })).json;
    const foreign = await idOf(ada, 'private');
    for (const id of [requirement, foreign, 1_000_000])
      for (const name of ['readFunction', 'readFunctionCode', 'deleteFunction'] as const)
        expect(problemOf(await cloud.call(name, { token: bob, params: { id } }))).toEqual([
          404,
          'document-not-found',
        ]);
    const admin = { token: await cloud.adminToken(), params: { id: foreign } };
    expect((await cloud.call('readFunctionCode', admin)).text).toBe('private');
  });
});
