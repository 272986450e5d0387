import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileListSchema, uploadStateSchema } from '@gantry/contracts';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bridgeRights } from '../../test-support/start-agent.js';
import { type FilesFixture, q, startFiles } from './files.fixture.js';

type Body = NonNullable<RequestInit['body']>;

let files: FilesFixture;
beforeEach(async () => {
  files = await startFiles();
});
afterEach(() => files.stop());

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('looking', () => {
  it('names the roots, and whether they can be written', async () => {
    const { body } = await files.ask('/roots');
    expect(body).toEqual({
      roots: [
        { name: 'own', path: files.own, writable: true },
        { name: 'shared', path: files.shared, writable: true },
        { name: 'fixed', path: files.fixed, writable: false },
      ],
    });
  });

  it('is unwell when a root is not there, and says which', async () => {
    expect((await files.ask('/health')).body).toMatchObject({ status: 'healthy' });
    await files.stop();
    files = await startFiles({
      roots: [
        { name: 'gone', path: '/nonexistent-gantry-root/data' },
        { name: 'each', path: '/nonexistent-gantry-root/of/{user}' },
        { name: 'plain', path: '/dev/null' },
        { name: 'fine', path: '/tmp' },
      ],
    });
    expect((await files.ask('/health')).body).toMatchObject({
      status: 'degraded',
      detail:
        'the root "gone" is not there: /nonexistent-gantry-root/data; ' +
        'the root "each" is not there: /nonexistent-gantry-root/of; ' +
        'the root "plain" is not a folder: /dev/null',
    });
  });

  it('tells the bridge at once when settings bring a root that is not there', async () => {
    const leaving = new AbortController();
    const rights = { rights: bridgeRights, signal: leaving.signal };
    const events = await files.running().call('/agent/events', rights);
    const roots = [{ name: 'gone', path: '/nonexistent-gantry-root' }];
    const json = { revision: 1, disabled: [], plugins: { files: { roots } } };
    const changed = await files.running().call('/agent/config', { ...rights, method: 'PUT', json });
    expect(changed.status).toBe(200);
    let text = '';
    const decoder = new TextDecoder();
    for await (const piece of events.body ?? []) {
      text += decoder.decode(piece as Uint8Array, { stream: true });
      if (text.includes('the root \\"gone\\" is not there: /nonexistent-gantry-root')) break;
    }
    leaving.abort();
    expect(text).toContain('"status":"degraded"');
  });

  it('lists a folder by name, page by page, with kinds and sizes', async () => {
    await mkdir(join(files.shared, 'b-folder'));
    await writeFile(join(files.shared, 'a'), '12345');
    await symlink('/etc/passwd', join(files.shared, 'c-link'));
    await writeFile(join(files.shared, '.gantry-part-x'), 'unfinished');
    const first = await files.ask(`/list?path=${q(files.shared)}&limit=2`);
    const page = fileListSchema.parse(first.body);
    expect(page.entries.map(({ name, type, size }) => [name, type, size])).toEqual([
      ['a', 'file', 5],
      ['b-folder', 'dir', null],
    ]);
    const second = await files.ask(`/list?path=${q(files.shared)}&limit=2&after=${q(page.next ?? '')}`);
    expect(second.body).toMatchObject({
      entries: [{ name: 'c-link', type: 'symlink', target: '/etc/passwd', size: null }],
      next: null,
    });
    expect((await files.ask(`/list?path=${q(files.shared)}&limit=0`)).status).toBe(422);
    expect((await files.ask('/list')).body).toMatchObject({ errors: [{ pointer: '/query/path' }] });
  });

  it('tells of one entry, of a root, and of nothing', async () => {
    await writeFile(join(files.own, 'a'), 'x', { mode: 0o640 });
    expect((await files.ask('/stat?path=a')).body).toMatchObject({ name: 'a', mode: '0640', size: 1 });
    expect((await files.ask(`/stat?path=${q(files.shared)}/`)).body).toMatchObject({ type: 'dir' });
    expect(await files.ask('/stat?path=b')).toMatchObject({ status: 404, body: { code: 'file-not-found' } });
    expect(await files.ask('/stat?path=a/b')).toMatchObject({
      status: 409,
      body: { code: 'wrong-file-type' },
    });
  });

  it('sums files up, small ones and large ones alike', async () => {
    const large = randomBytes(9 * 1024 * 1024);
    await writeFile(join(files.shared, 'large'), large);
    await writeFile(join(files.shared, 'empty'), '');
    const sum = await files.ask(`/checksum?path=${q(join(files.shared, 'large'))}`);
    expect(sum.body).toMatchObject({ algorithm: 'sha256', checksum: sha256(large), size: large.length });
    const none = await files.ask(`/checksum?path=${q(join(files.shared, 'empty'))}`);
    expect(none.body).toMatchObject({ checksum: sha256(Buffer.alloc(0)), size: 0 });
  });
});

describe('downloading', () => {
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256));
  const get = (headers: Record<string, string> = {}, method = 'GET') =>
    files.call('/content?path=f', { headers, method });
  beforeEach(() => writeFile(join(files.own, 'f'), bytes));

  it('gives the bytes with their length, name and version', async () => {
    const response = await get();
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-length': '1000',
      'accept-ranges': 'bytes',
      'content-disposition': `attachment; filename="f"; filename*=UTF-8''f`,
      'x-content-type-options': 'nosniff',
      etag: expect.stringMatching(/^".+"$/),
    });
    const head = await get({}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '1000', '']);
  });

  it('gives a range, and goes on only in the same version', async () => {
    const part = await get({ range: 'bytes=100-199' });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 100-199/1000']);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(100, 200));
    const etag = part.headers.get('etag') ?? '';
    expect((await get({ range: 'bytes=-1', 'if-range': etag })).status).toBe(206);
    expect((await get({ range: 'bytes=-1', 'if-range': '"old"' })).status).toBe(200);
    const outside = await get({ range: 'bytes=1000-' });
    expect([outside.status, outside.headers.get('content-range')]).toEqual([416, 'bytes */1000']);
    await outside.text();
  });

  it('heeds conditions; a file that was changed and set back in time is another one', async () => {
    const { headers } = await get({}, 'HEAD');
    const etag = headers.get('etag') ?? '';
    const before = await stat(join(files.own, 'f'));
    expect((await get({ 'if-none-match': etag })).status).toBe(304);
    expect((await get({ 'if-match': etag })).status).toBe(200);
    await writeFile(join(files.own, 'f'), Buffer.alloc(1000, 1));
    await utimes(join(files.own, 'f'), before.atime, before.mtime);
    const changed = await get({ 'if-match': etag });
    expect([changed.status, ((await changed.json()) as { code: string }).code]).toEqual([
      412,
      'precondition-failed',
    ]);
  });

  it('gives an empty file', async () => {
    await writeFile(join(files.own, 'empty'), '');
    const response = await files.call('/content?path=empty');
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
      200,
      '0',
      '',
    ]);
  });
});

describe('uploading at once', () => {
  const put = (query: string, body: Body, headers: Record<string, string> = {}) =>
    files.ask(`/content?${query}`, { method: 'PUT', body, headers });

  it('makes the file whole, private unless asked otherwise, and replaces one keeping its permissions', async () => {
    expect((await put('path=new&parents=true', 'one')).status).toBe(201);
    expect((await stat(join(files.own, 'new'))).mode & 0o777).toBe(0o600);
    await put('path=deep/er/script&parents=true&mode=0755', '#!/bin/sh\n');
    expect((await stat(join(files.own, 'deep/er/script'))).mode & 0o777).toBe(0o755);
    expect(await put('path=deep/er/script', 'two')).toMatchObject({ body: { mode: '0755', size: 3 } });
    expect(await readFile(join(files.own, 'deep/er/script'), 'utf8')).toBe('two');
    expect((await put('path=bad&mode=4755', 'x')).status).toBe(422);
    expect((await put('path=missing/x', 'x')).status).toBe(404);
  });

  it('heeds If-Match and If-None-Match', async () => {
    const first = await put('path=f', 'one', { 'if-none-match': '*' });
    const etag = String(first.body['etag']);
    expect((await put('path=f', 'two', { 'if-none-match': '*' })).status).toBe(412);
    expect((await put('path=f', 'two', { 'if-match': etag })).status).toBe(201);
    expect((await put('path=f', 'three', { 'if-match': etag })).status).toBe(412);
    expect(await readFile(join(files.own, 'f'), 'utf8')).toBe('two');
  });

  it('lets one of many win who want to be the first', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => put('path=race', `${index}`, { 'if-none-match': '*' })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(11);
  });

  it('leaves the old file and no rest when the upload breaks off', async () => {
    await put('path=f', 'old');
    const leaving = new AbortController();
    let isSent = false;
    const body = new ReadableStream({
      async pull(controller) {
        if (isSent) {
          await sleep(20);
          leaving.abort();
          return;
        }
        isSent = true;
        controller.enqueue(Buffer.alloc(100_000, 'n'));
      },
    });
    await expect(
      files.call('/content?path=f', { method: 'PUT', body, signal: leaving.signal }),
    ).rejects.toThrow();
    const giveUpMs = performance.now() + 10_000;
    while ((await readdir(files.own)).length > 1 && performance.now() < giveUpMs) await sleep(10);
    expect(await readdir(files.own)).toEqual(['f']);
    expect(await readFile(join(files.own, 'f'), 'utf8')).toBe('old');
  });

  it('stops at the largest size a file may have', async () => {
    await files.stop();
    files = await startFiles({ maxFileBytes: 1000 });
    expect((await put('path=f', 'x'.repeat(1001))).status).toBe(413);
    const body = new ReadableStream({
      start(controller) {
        for (let count = 0; count < 20; count += 1) controller.enqueue(Buffer.alloc(100));
        controller.close();
      },
    });
    expect((await put('path=f', body)).status).toBe(413);
    expect(await readdir(files.own)).toEqual([]);
  });
});

describe('uploading in pieces', () => {
  const begin = (json: unknown, user = 'ada') => files.ask('/uploads', { json, user });
  const patch = (id: unknown, offset: number, body: Body, user = 'ada') =>
    files.ask(`/uploads/${String(id)}`, {
      method: 'PATCH',
      body,
      user,
      headers: { 'upload-offset': String(offset) },
    });

  it('goes on from what is on the disk, also after a restart, and puts the file in place at the end', async () => {
    const bytes = randomBytes(300_000);
    const { status, body } = await begin({ path: 'in/deep', size: bytes.length, parents: true });
    expect([status, uploadStateSchema.parse(body).offset]).toEqual([201, 0]);
    const id = body['id'];
    expect(await patch(id, 0, bytes.subarray(0, 100_000))).toMatchObject({ body: { offset: 100_000 } });
    await files.restart();
    // Found again by what it is to become, however that is written; by its creator only.
    const found = (path: string, user = 'ada') => files.ask(`/uploads?path=${q(path)}`, { user });
    expect((await found(join(files.own, 'in/./deep'))).body).toMatchObject({
      uploads: [{ id, offset: 100_000 }],
    });
    expect((await files.ask('/uploads')).body).toMatchObject({ uploads: [{ id }] });
    expect((await found('in/deep', 'bob')).body).toEqual({ uploads: [] });
    expect((await found('in/other')).body).toEqual({ uploads: [] });
    expect((await files.ask(`/uploads/${String(id)}`)).body).toMatchObject({ offset: 100_000 });
    const wrong = await files.call(`/uploads/${String(id)}`, {
      method: 'PATCH',
      body: 'x',
      headers: { 'upload-offset': '5' },
    });
    expect([wrong.status, wrong.headers.get('upload-offset')]).toEqual([409, '100000']);
    await wrong.text();
    const early = await files.ask(`/uploads/${String(id)}/finish`, { json: {} });
    expect(early).toMatchObject({ status: 409, body: { code: 'upload-offset-mismatch' } });
    await patch(id, 100_000, bytes.subarray(100_000));
    expect(await readdir(join(files.own, 'in'))).toEqual([expect.stringMatching(/^\.gantry-part-/)]);
    const done = await files.ask(`/uploads/${String(id)}/finish`, { json: { sha256: sha256(bytes) } });
    expect(done).toEqual({ status: 200, body: { path: join(files.own, 'in/deep') } });
    expect(await readFile(join(files.own, 'in/deep'))).toEqual(bytes);
    expect(await readdir(join(files.own, 'in'))).toEqual(['deep']);
    expect((await files.ask(`/uploads/${String(id)}`)).status).toBe(404);
  });

  it('keeps what came before a connection broke', async () => {
    const { body } = await begin({ path: 'f' });
    const leaving = new AbortController();
    const pieces = new ReadableStream({
      async pull(controller) {
        // fetch goes on pulling after an abort; nothing would end the process then.
        if (leaving.signal.aborted) controller.close();
        else controller.enqueue(Buffer.alloc(50_000, 'a'));
        await sleep(50);
        leaving.abort();
      },
    });
    await expect(
      files.call(`/uploads/${String(body['id'])}`, {
        method: 'PATCH',
        body: pieces,
        signal: leaving.signal,
        headers: { 'upload-offset': '0' },
      }),
    ).rejects.toThrow();
    let offset = 0;
    let status = 503;
    const giveUpMs = performance.now() + 10_000;
    while (status !== 200 && performance.now() < giveUpMs) {
      const state = await files.ask(`/uploads/${String(body['id'])}`);
      offset = Number(state.body['offset']);
      status = (await patch(body['id'], offset, 'b')).status;
    }
    expect(status).toBe(200);
    await files.ask(`/uploads/${String(body['id'])}/finish`, { method: 'POST' });
    expect(await readFile(join(files.own, 'f'), 'utf8')).toBe(`${'a'.repeat(offset)}b`);
  });

  it('is of its creator alone, and ends when it is cancelled or its sum is wrong', async () => {
    const { body } = await begin({ path: 'f' });
    expect((await patch(body['id'], 0, 'x', 'bob')).status).toBe(404);
    expect((await files.ask(`/uploads/${String(body['id'])}`, { user: 'bob' })).status).toBe(404);
    await patch(body['id'], 0, 'abc');
    const wrong = await files.ask(`/uploads/${String(body['id'])}/finish`, {
      json: { sha256: '0'.repeat(64) },
    });
    expect(wrong.body).toMatchObject({ status: 422, code: 'checksum-mismatch' });
    const second = await begin({ path: 'f' });
    const cancelled = await files.ask(`/uploads/${String(second.body['id'])}`, { method: 'DELETE' });
    expect(cancelled.status).toBe(204);
    expect(await readdir(files.own)).toEqual([]);
    expect((await files.ask('/uploads/..%2F..%2Fsettings')).status).toBe(404);
  });

  it('that nobody goes on with goes after its time, and so does what a killed agent left', async () => {
    const fresh = (await begin({ path: 'fresh' })).body['id'];
    const old = (await begin({ path: join(files.shared, 'f') })).body['id'];
    await patch(old, 0, 'abc');
    // Another file takes the name meanwhile.
    await files.call(`/content?path=${q(join(files.shared, 'f'))}`, { method: 'PUT', body: 'whole' });
    const record = join(files.own, '../uploads', `${String(old)}.json`);
    const text = await readFile(record, 'utf8');
    await writeFile(record, text.replace(/"updatedAtMs":\d+/, '"updatedAtMs":1'));
    await mkdir(join(files.shared, '.gantry-part-archive/inner'), { recursive: true });
    for (const folder of [files.shared, files.fixed]) {
      await writeFile(join(folder, '.gantry-part-left'), 'half');
      await writeFile(join(folder, '.gantry-part-young'), 'half');
    }
    for (const path of ['shared/.gantry-part-left', 'shared/.gantry-part-archive', 'fixed/.gantry-part-left'])
      await utimes(join(files.top, path), 1, 1);
    await files.restart();
    const wanted = ['.gantry-part-young', 'f'];
    for (let tries = 0; (await readdir(files.shared)).length !== wanted.length && tries < 1000; tries += 1)
      await sleep(10);
    expect((await readdir(files.shared)).sort()).toEqual(wanted);
    expect(await readFile(join(files.shared, 'f'), 'utf8')).toBe('whole');
    // Nothing is removed where nothing may be written.
    expect((await readdir(files.fixed)).sort()).toEqual(['.gantry-part-left', '.gantry-part-young']);
    expect((await files.ask(`/uploads/${String(old)}`)).status).toBe(404);
    expect((await files.ask(`/uploads/${String(fresh)}`)).status).toBe(200);
  });

  it('refuses what would overwrite, unless asked to, at the begin and at the end', async () => {
    await writeFile(join(files.own, 'f'), 'old');
    expect(await begin({ path: 'f' })).toMatchObject({ status: 409, body: { code: 'file-exists' } });
    const { body } = await begin({ path: 'g' });
    await writeFile(join(files.own, 'g'), 'faster');
    const late = await files.ask(`/uploads/${String(body['id'])}/finish`, { method: 'POST' });
    expect(late).toMatchObject({ status: 409, body: { code: 'file-exists' } });
    expect(await readFile(join(files.own, 'g'), 'utf8')).toBe('faster');
    expect((await begin({ path: 'h', size: 1e15 })).body).toMatchObject({ code: 'body-too-large' });
  });
});

describe('changing names', () => {
  it('makes folders, one or all of a path', async () => {
    expect(await files.ask('/mkdir', { json: { path: 'a' } })).toMatchObject({ status: 201 });
    expect((await files.ask('/mkdir', { json: { path: 'a' } })).body).toMatchObject({ code: 'file-exists' });
    expect((await files.ask('/mkdir', { json: { path: 'x/y' } })).status).toBe(404);
    const deep = await files.ask('/mkdir', { json: { path: 'x/y/z', parents: true } });
    expect(deep.body).toEqual({ path: join(files.own, 'x/y/z') });
    expect((await files.ask('/mkdir', { json: { path: 'x/y/z', parents: true } })).status).toBe(201);
  });

  it('moves files and folders, not over what is there', async () => {
    const move = (from: string, to: string, overwrite = false) =>
      files.ask('/move', { json: { from, to, overwrite } });
    await writeFile(join(files.own, 'a'), 'a');
    await writeFile(join(files.own, 'b'), 'b');
    await mkdir(join(files.own, 'd/inner'), { recursive: true });
    expect((await move('a', 'b')).body).toMatchObject({ code: 'file-exists' });
    expect((await move('a', 'b', true)).body).toEqual({ path: join(files.own, 'b') });
    expect(await readFile(join(files.own, 'b'), 'utf8')).toBe('a');
    expect((await move('d', join(files.shared, 'e'))).status).toBe(200);
    expect(await readdir(join(files.shared, 'e'))).toEqual(['inner']);
    expect((await move(join(files.shared, 'e'), join(files.shared, 'e/inner/f'))).status).toBe(400);
    expect((await move('none', 'x')).status).toBe(404);
    expect((await move(join(files.shared, 'e'), 'b')).body).toMatchObject({ code: 'file-exists' });
    expect(await readdir(join(files.shared, 'e'))).toEqual(['inner']);
  });

  it('deletes entries, trees only when asked to, and links instead of what they point to', async () => {
    const remove = (path: string, more = '') =>
      files.ask(`/entry?path=${q(path)}${more}`, { method: 'DELETE' });
    await mkdir(join(files.own, 'tree/branch'), { recursive: true });
    await writeFile(join(files.own, 'tree/branch/leaf'), '');
    await writeFile(join(files.outside, 'precious'), '');
    await symlink(files.outside, join(files.own, 'tree/way-out'));
    expect((await remove('tree')).body).toMatchObject({ status: 409, code: 'folder-not-empty' });
    expect((await remove('tree', '&recursive=true')).body).toEqual({ deleted: 4 });
    expect(await readdir(files.own)).toEqual([]);
    expect(await readdir(files.outside)).toEqual(['precious']);
    expect((await remove('tree')).status).toBe(404);
    expect((await remove(files.own, '&recursive=true')).status).toBe(403);
  });

  it('leaves a root alone that is not writable', async () => {
    await writeFile(join(files.fixed, 'f'), 'f');
    const inside = join(files.fixed, 'f');
    const writes = [
      files.ask(`/content?path=${q(inside)}`, { method: 'PUT', body: 'x' }),
      files.ask(`/entry?path=${q(inside)}`, { method: 'DELETE' }),
      files.ask('/mkdir', { json: { path: `${files.fixed}/d` } }),
      files.ask('/mkdir', { json: { path: `${files.fixed}/d/e`, parents: true } }),
      files.ask('/move', { json: { from: inside, to: 'stolen' } }),
      files.ask('/move', { json: { from: 'x', to: `${files.fixed}/y` } }),
      files.ask('/uploads', { json: { path: `${files.fixed}/u` } }),
      files.ask(`/archive?path=${q(`${files.fixed}/a`)}`, { method: 'PUT', body: 'x' }),
    ];
    for (const { status, body } of await Promise.all(writes))
      expect([status, body['code']]).toEqual([403, 'file-access-denied']);
    expect(await readdir(files.fixed)).toEqual(['f']);
    expect((await files.call(`/content?path=${q(inside)}`)).status).toBe(200);
  });

  it('asks for the right to write', async () => {
    const rights = ['files:read'];
    expect((await files.ask('/mkdir', { json: { path: 'a' }, rights })).status).toBe(403);
    expect((await files.ask('/roots', { rights })).status).toBe(200);
  });
});
