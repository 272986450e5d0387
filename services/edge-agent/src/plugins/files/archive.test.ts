import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Header, pack } from 'tar-stream';
import { type FilesFixture, q, startFiles } from './files.fixture.js';

let files: FilesFixture;
beforeEach(async () => {
  files = await startFiles({ maxArchiveBytes: 2_000_000, maxArchiveEntries: 50 });
});
afterEach(() => files.stop());

type Entry = Partial<Header> & Pick<Header, 'name'> & { readonly content?: string };

/** A tar.gz of these entries, as somebody else may have made it. */
async function archiveOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = '', ...header } of entries) tar.entry(header, content);
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar as AsyncIterable<Buffer>) pieces.push(piece);
  return gzipSync(Buffer.concat(pieces));
}

const unpack = (bytes: Uint8Array, path = 'new') =>
  files.ask(`/archive?path=${q(path)}`, { method: 'PUT', body: Buffer.from(bytes) });

describe('archives', () => {
  it('of a folder come back as the same folder', async () => {
    await mkdir(join(files.own, 'tree/empty'), { recursive: true });
    await writeFile(join(files.own, 'tree/big'), Buffer.alloc(700_001, 7));
    await writeFile(join(files.own, 'tree/none'), '');
    await writeFile(join(files.own, 'tree/ünï cödé'), 'x', { mode: 0o750 });
    await symlink('big', join(files.own, 'tree/link'));
    await symlink('/etc/passwd', join(files.own, 'outer'));
    const response = await files.call('/archive?path=tree');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/gzip']);
    const bytes = Buffer.from(await response.arrayBuffer());
    const { status, body } = await unpack(bytes, 'copy');
    expect([status, body]).toEqual([
      201,
      { path: join(files.own, 'copy'), files: 3, folders: 1, symlinks: 1, bytes: 700_002 },
    ]);
    const names = new Set(await readdir(join(files.own, 'copy')));
    expect(names).toEqual(new Set(['big', 'empty', 'link', 'none', 'ünï cödé']));
    expect(await readFile(join(files.own, 'copy/big'))).toEqual(Buffer.alloc(700_001, 7));
    expect((await stat(join(files.own, 'copy/ünï cödé'))).mode & 0o777).toBe(0o750);
    expect(await readlink(join(files.own, 'copy/link'))).toBe('big');
  });

  it('carry links as links: what they point to does not leave', async () => {
    await mkdir(join(files.own, 'tree'));
    await writeFile(join(files.outside, 'secret'), 'secret-content');
    await symlink(join(files.outside, 'secret'), join(files.own, 'tree/link'));
    const response = await files.call('/archive?path=tree');
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.length).toBeLessThan(2000);
    expect(await unpack(bytes)).toMatchObject({ status: 422, body: { code: 'archive-refused' } });
  });

  it('are not unpacked over what is there', async () => {
    await mkdir(join(files.own, 'new'));
    const bytes = await archiveOf([{ name: 'a', content: 'a' }]);
    expect((await unpack(bytes)).body).toMatchObject({ code: 'file-exists' });
  });

  it.each<[string, readonly Entry[]]>([
    ['an absolute path', [{ name: '/etc/evil', content: 'x' }]],
    ['a path that climbs', [{ name: 'a/../../evil', content: 'x' }]],
    ['a link out', [{ name: 'l', type: 'symlink', linkname: '../outside' }]],
    ['an absolute link', [{ name: 'l', type: 'symlink', linkname: '/etc' }]],
    ['a link that climbs on its way', [{ name: 'a/l', type: 'symlink', linkname: '../../a/x' }]],
    [
      'a file through a link',
      [
        { name: 'l', type: 'symlink', linkname: 'd' },
        { name: 'l/f', content: 'x' },
      ],
    ],
    ['a hard link', [{ name: 'h', type: 'link', linkname: 'a' }]],
    ['a device', [{ name: 'dev', type: 'character-device', devmajor: 1, devminor: 3 }]],
    ['a pipe', [{ name: 'pipe', type: 'fifo' }]],
    [
      'the same file twice',
      [
        { name: 'a', content: '1' },
        { name: 'a', content: '2' },
      ],
    ],
    [
      'a file as a folder',
      [
        { name: 'a', content: '1' },
        { name: 'a/b', content: '2' },
      ],
    ],
    ['too many entries', Array.from({ length: 51 }, (_, index) => ({ name: `f${index}`, content: 'x' }))],
    ['far more than it seems', [{ name: 'bomb', content: '\0'.repeat(2_100_000) }]],
  ])('are refused with %s, and nothing is left', async (_what, entries) => {
    const good: Entry = { name: 'good', content: 'good' };
    expect(await unpack(await archiveOf([good, ...entries]))).toMatchObject({
      status: 422,
      body: { code: 'archive-refused' },
    });
    expect(await readdir(files.own)).toEqual([]);
    expect(await readdir(files.outside)).toEqual([]);
  });

  it('are refused when they are none, or end too early', async () => {
    const whole = await archiveOf([{ name: 'a', content: 'x'.repeat(50_000) }]);
    const bodies = [
      Buffer.from('no archive'),
      whole.subarray(0, whole.length - 20),
      gzipSync('x'.repeat(600)),
    ];
    for (const body of bodies)
      expect(await unpack(body)).toMatchObject({ status: 422, body: { code: 'archive-refused' } });
    expect(await readdir(files.own)).toEqual([]);
  });
});
