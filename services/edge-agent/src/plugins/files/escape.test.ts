import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type FilesFixture, q, startFiles } from './files.fixture.js';
import { folderNameOf } from './roots.js';

let files: FilesFixture;
beforeEach(async () => {
  files = await startFiles();
  await writeFile(join(files.outside, 'secret'), 'secret');
});
afterEach(() => files.stop());

describe('a path that leads out of the roots', () => {
  it.each([
    '/etc/passwd',
    '../../../../../../etc/passwd',
    '/shared/../outside/secret',
    './../secret',
    '/',
    '/proc/self/environ',
    '/proc/self/root/etc/passwd',
  ])('is refused as it is written: %s', async (path) => {
    const named = path.startsWith('/shared') ? files.shared + path.slice('/shared'.length) : path;
    expect(await files.ask(`/content?path=${q(named)}`)).toMatchObject({
      status: 403,
      body: { code: 'path-refused' },
    });
  });

  it('is refused when a link leads out, whatever is asked for, and nothing outside changes', async () => {
    await symlink(files.outside, join(files.shared, 'way'));
    await symlink(join(files.outside, 'secret'), join(files.shared, 'file'));
    await symlink('../outside', join(files.shared, 'relative'));
    await symlink('way', join(files.shared, 'twice'));
    const at = (name: string) => q(join(files.shared, name));
    const path = (name: string) => join(files.shared, name);
    const attempts = [
      files.ask(`/content?path=${at('file')}`),
      files.ask(`/content?path=${at('way/secret')}`),
      files.ask(`/content?path=${at('twice/secret')}`),
      files.ask(`/list?path=${at('relative')}`),
      files.ask(`/stat?path=${at('way/secret')}`),
      files.ask(`/checksum?path=${at('file')}`),
      files.ask(`/archive?path=${at('way')}`),
      files.ask(`/content?path=${at('way/new')}`, { method: 'PUT', body: 'x' }),
      files.ask(`/entry?path=${at('way/secret')}`, { method: 'DELETE' }),
      files.ask('/mkdir', { json: { path: path('way/new') } }),
      files.ask('/mkdir', { json: { path: path('way/a/b'), parents: true } }),
      files.ask('/move', { json: { from: path('way/secret'), to: path('got') } }),
      files.ask('/move', { json: { from: path('file'), to: path('way/new') } }),
      files.ask('/uploads', { json: { path: path('way/new') } }),
      files.ask('/uploads', { json: { path: path('way/a/b'), parents: true } }),
      files.ask(`/archive?path=${at('way/new')}`, { method: 'PUT', body: 'x' }),
    ];
    for (const { status, body } of await Promise.all(attempts))
      expect([status, body['code']]).toEqual([403, 'path-refused']);
    expect(await readdir(files.outside)).toEqual(['secret']);
    expect(await readFile(join(files.outside, 'secret'), 'utf8')).toBe('secret');
  });

  it('writes over a link, not through it', async () => {
    await symlink(join(files.outside, 'secret'), join(files.shared, 'file'));
    const put = await files.ask(`/content?path=${q(join(files.shared, 'file'))}`, {
      method: 'PUT',
      body: 'mine',
    });
    expect(put).toMatchObject({ status: 201, body: { type: 'file' } });
    expect(await readFile(join(files.outside, 'secret'), 'utf8')).toBe('secret');
  });

  it('is followed as long as it stays inside, with the rights of where it leads', async () => {
    await mkdir(join(files.fixed, 'd'));
    await writeFile(join(files.fixed, 'd/f'), 'fixed');
    await symlink(join(files.fixed, 'd'), join(files.shared, 'to-fixed'));
    await symlink('to-fixed/f', join(files.shared, 'f'));
    const got = await files.call(`/content?path=${q(join(files.shared, 'f'))}`);
    expect(await got.text()).toBe('fixed');
    const put = await files.ask(`/content?path=${q(join(files.shared, 'to-fixed/g'))}`, {
      method: 'PUT',
      body: 'x',
    });
    expect(put.body).toMatchObject({ code: 'file-access-denied' });
    await symlink('loop-b', join(files.shared, 'loop-a'));
    await symlink('loop-a', join(files.shared, 'loop-b'));
    expect((await files.ask(`/content?path=${q(join(files.shared, 'loop-a'))}`)).status).toBe(403);
  });

  it('tells nothing of what is outside: there or not, it is the same answer', async () => {
    const there = await files.ask(`/stat?path=${q(join(files.outside, 'secret'))}`);
    const notThere = await files.ask(`/stat?path=${q(join(files.outside, 'nothing'))}`);
    expect([there.status, there.body['code']]).toEqual([notThere.status, notThere.body['code']]);
  });
});

describe('what is no regular file', () => {
  it('does not hold the agent: pipes, devices, folders', async () => {
    execFileSync('/usr/bin/mkfifo', [join(files.shared, 'pipe')]);
    for (const name of ['pipe', '.']) {
      const answer = await files.ask(`/content?path=${q(join(files.shared, name))}`);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
    const listed = await files.ask(`/list?path=${q(files.shared)}`);
    expect(listed.body).toMatchObject({ entries: [{ name: 'pipe', type: 'other' }] });
  });

  it('a hard link is a file of the root like any other', async () => {
    await link(join(files.outside, 'secret'), join(files.shared, 'hard'));
    expect((await files.call(`/content?path=${q(join(files.shared, 'hard'))}`)).status).toBe(200);
  });
});

describe('links that are put in place while we look', () => {
  it('never open what lies outside, for reading or for writing', async () => {
    await mkdir(join(files.shared, 'real/deep'), { recursive: true });
    await writeFile(join(files.shared, 'real/f'), 'inside');
    await writeFile(join(files.shared, 'real/deep/f'), 'inside');
    await mkdir(join(files.outside, 'deep'));
    await writeFile(join(files.outside, 'f'), 'secret');
    await writeFile(join(files.outside, 'deep/f'), 'secret');
    await symlink(files.outside, join(files.shared, 'link'));
    // Exchanges the folder and the link as fast as it can, from another process.
    const program = `
      const { renameSync } = require('node:fs');
      const at = (name) => process.argv[1] + '/' + name;
      process.stdout.write('ready');
      for (;;) {
        renameSync(at('real'), at('x')); renameSync(at('link'), at('real'));
        renameSync(at('real'), at('link')); renameSync(at('x'), at('real'));
      }`;
    const swapper = spawn(process.execPath, ['-e', program, files.shared], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const outcomes = new Map<string, number>();
    const count = (key: string) => outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
    try {
      await once(swapper.stdout, 'data');
      const path = (name: string) => join(files.shared, 'real', name);
      for (let round = 0; round < 60; round += 1) {
        await Promise.all([
          ...['f', 'deep/f'].map(async (name) => {
            const response = await files.call(`/content?path=${q(path(name))}`);
            const text = await response.text();
            expect(text).not.toBe('secret');
            count(response.ok ? 'read' : `read ${response.status}`);
          }),
          (async () => {
            const target = path(`new-${round}`);
            const { status } = await files.ask(`/content?path=${q(target)}`, { method: 'PUT', body: 'x' });
            count(status === 201 ? 'written' : `write ${status}`);
          })(),
          files.ask(`/entry?path=${q(path('deep/f'))}x`, { method: 'DELETE' }),
          files.ask('/mkdir', { json: { path: path(`dir-${round}`) } }),
        ]);
      }
    } finally {
      const isRunning = swapper.exitCode === null;
      swapper.kill('SIGKILL');
      if (isRunning) await once(swapper, 'exit');
    }
    expect((await readdir(files.outside)).sort()).toEqual(['deep', 'f', 'secret']);
    expect(await readdir(join(files.outside, 'deep'))).toEqual(['f']);
    // Both happened, or the test would prove nothing.
    expect(outcomes.get('read') ?? 0).toBeGreaterThan(0);
    expect(outcomes.get('read 403') ?? 0).toBeGreaterThan(0);
  });

  it('do not lead a recursive delete astray', async () => {
    for (let round = 0; round < 20; round += 1) {
      const tree = join(files.shared, `tree-${round}`);
      await mkdir(join(tree, 'a/b/c'), { recursive: true });
      await writeFile(join(tree, 'a/b/c/f'), '');
      const removing = files.ask(`/entry?path=${q(tree)}&recursive=true`, { method: 'DELETE' });
      // Put a link to the outside where a folder was, in the middle of it.
      await rename(join(tree, 'a/b'), join(tree, 'moved')).catch(() => undefined);
      await symlink(files.outside, join(tree, 'a/b')).catch(() => undefined);
      await removing;
    }
    expect(await readdir(files.outside)).toEqual(['secret']);
  });
});

describe('a root for each user', () => {
  it('is made for whoever comes, and is nobody else’s', async () => {
    await files.stop();
    files = await startFiles();
    const document = {
      revision: 1,
      plugins: {
        files: {
          ownFolder: false,
          roots: [{ name: 'home', path: `${files.shared}/{user}`, writable: true, create: true }],
        },
      },
    };
    await files.running().call('/agent/config', { method: 'PUT', json: document, rights: ['agent:bridge'] });
    const put = (user: string) => files.ask('/content?path=f', { method: 'PUT', body: user, user });
    expect((await put('ada')).status).toBe(201);
    expect((await put('../outside')).status).toBe(201);
    expect((await readdir(files.shared)).sort()).toEqual(['..%2Foutside', 'ada']);
    const other = await files.ask(`/content?path=${q(`${files.shared}/ada/f`)}`, { user: 'bob' });
    expect(other.status).toBe(403);
  });

  it.each([
    ['ada', 'ada'],
    ['..', '%..'],
    ['.', '%.'],
    ['', '%'],
    ['a/b', 'a%2Fb'],
    ['%2e', '%252e'],
  ])('for "%s" is the folder "%s"', (user, folder) => {
    expect(folderNameOf(user)).toBe(folder);
  });
});
