import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type FilesFixture, startFiles } from './files.fixture.js';

let files: FilesFixture;
let sid: string;
beforeEach(async () => {
  files = await startFiles({ maxStagingBytes: 1000 });
  const response = await files.running().call('/staging/register_session', { json: {} });
  sid = ((await response.json()) as { sid: string }).sid;
});
afterEach(() => files.stop());

async function staging(verb: string, json: unknown, session = sid) {
  const response = await files.running().call(`/staging/${verb}/${session}`, { json });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const encode = (text: string): string => Buffer.from(text).toString('base64');

describe('the older routes for files', () => {
  it('put, get and list, making folders on the way; empty files too', async () => {
    const filename = join(files.shared, 'a/b/f.txt');
    expect(await staging('put', { filename, content: encode('hello') })).toEqual({
      status: 200,
      body: { path: filename, size: 5 },
    });
    expect(await staging('get', { filename })).toEqual({
      status: 200,
      body: { path: filename, size: 5, content: encode('hello') },
    });
    const empty = join(files.shared, 'a/empty');
    expect(await staging('put', { filename: empty, content: '' })).toMatchObject({
      status: 200,
      body: { size: 0 },
    });
    expect((await staging('list', { path: join(files.shared, 'a') })).body).toEqual({
      path: join(files.shared, 'a'),
      entries: [
        { name: 'b', type: 'dir', size: null },
        { name: 'empty', type: 'file', size: 0 },
      ],
    });
  });

  it('overwrite only when asked to', async () => {
    const filename = join(files.shared, 'f');
    await staging('put', { filename, content: encode('one') });
    const again = await staging('put', { filename, content: encode('two') });
    expect([again.status, typeof again.body['detail']]).toEqual([409, 'string']);
    expect((await staging('put', { filename, content: encode('two'), overwrite: true })).status).toBe(200);
    expect(await readFile(filename, 'utf8')).toBe('two');
  });

  it('answer with the status codes that the older clients read', async () => {
    const content = encode('x');
    const at = (name: string) => join(files.shared, name);
    await symlink(files.outside, at('way'));
    await mkdir(at('folder'));
    await writeFile(at('file'), 'x');
    const cases: [string, unknown, number][] = [
      ['put', { filename: 'relative', content }, 400],
      ['put', { filename: '/etc/evil', content }, 400],
      ['put', { filename: at('way/evil'), content }, 400],
      ['put', { filename: at('../outside/evil'), content }, 400],
      ['put', { content }, 400],
      ['put', { filename: at('f') }, 400],
      ['put', { filename: at('f'), content: 'not base64!' }, 400],
      ['put', { filename: at('folder'), content, overwrite: true }, 400],
      ['put', { filename: join(files.fixed, 'f'), content }, 403],
      ['put', { filename: at('large'), content: encode('x'.repeat(1001)) }, 413],
      ['get', { filename: at('none') }, 404],
      ['get', { filename: 'relative' }, 400],
      ['get', { filename: at('folder') }, 400],
      ['get', {}, 400],
      ['list', { path: at('none') }, 404],
      ['list', { path: at('file') }, 400],
      ['list', { path: '' }, 400],
    ];
    for (const [verb, json, expected] of cases) {
      const { status, body } = await staging(verb, json);
      expect([verb, json, status, typeof body['detail']]).toEqual([verb, json, expected, 'string']);
    }
    const notFolder = await staging('list', { path: at('file') });
    expect(notFolder.body['detail']).toContain('Not a directory');
  });

  it('need a session of their own', async () => {
    const unknown = await staging('list', { path: files.shared }, `session.${'0'.repeat(32)}`);
    expect([unknown.status, unknown.body['detail']]).toEqual([
      404,
      expect.stringContaining('unknown session id'),
    ]);
  });
});
