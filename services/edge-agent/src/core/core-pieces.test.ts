import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mayCall } from './permissions.js';
import type { PluginRoute } from './ports.js';
import { RouteTable } from './route-table.js';
import { openStateFolder } from './state-folder.js';

const route = (method: PluginRoute['method'], path: string): PluginRoute => ({
  method,
  path,
  permission: 'any',
  handler: async () => ({}),
});

describe('rights', () => {
  it.each([
    [['*'], 'jobs:submit', 'jobs', true],
    [['jobs:*'], 'jobs:submit', 'jobs', true],
    [['jobs:submit'], 'jobs:submit', 'jobs', true],
    [['jobs:read'], 'jobs:submit', 'jobs', false],
    [['files:*'], 'jobs:submit', 'jobs', false],
    [['jobs:read'], 'any', 'jobs', true],
    [['files:read'], 'any', 'jobs', false],
    [['job:*'], 'jobs:submit', 'jobs', false],
    [['*'], 'agent:bridge', 'agent', false],
    [['agent:bridge'], 'agent:bridge', 'agent', true],
    [[], 'any', 'jobs', false],
  ])('%j and %s of %s: %s', (rights, permission, plugin, expected) => {
    expect(mayCall(rights, permission, plugin)).toBe(expected);
  });
});

describe('the route table', () => {
  const table = new RouteTable([
    route('GET', '/jobs/:id'),
    route('GET', '/jobs/mine'),
    route('POST', '/jobs'),
    route('GET', '/web/:port/:rest*'),
    route('DELETE', '/jobs/:id'),
  ]);

  it.each([
    ['GET', '/jobs/mine', '/jobs/mine', {}],
    ['HEAD', '/jobs/7', '/jobs/:id', { id: '7' }],
    ['GET', '/jobs/a%2Fb', '/jobs/:id', { id: 'a/b' }],
    ['GET', '/web/80/', '/web/:port/:rest*', { port: '80', rest: '' }],
    ['GET', '/web/80/a%2Fb//c', '/web/:port/:rest*', { port: '80', rest: 'a%2Fb//c' }],
  ])('%s %s is %s', (method, path, expected, params) => {
    const match = table.match(method, path);
    expect([match.route.path, match.params]).toEqual([expected, params]);
  });

  it.each([
    ['GET', '/jobs/', 404],
    ['GET', '/jobs/1/2', 404],
    ['PUT', '/jobs/1', 405],
    ['GET', '/jobs', 405],
    ['GET', '/jobs/%ff', 400],
    ['GET', '/', 404],
    ['GET', '/constructor', 404],
  ])('%s %s is refused with %i', (method, path, status) => {
    expect(() => table.match(method, path)).toThrow(expect.objectContaining({ status }));
  });

  it('refuses paths that no request can have, and two of one shape', () => {
    expect(() => new RouteTable([route('GET', 'jobs')])).toThrow(/not well-formed/);
    expect(() => new RouteTable([route('GET', '/:rest*/more')])).toThrow(/not well-formed/);
    expect(() => new RouteTable([route('GET', '/a/:b'), route('GET', '/a/:c')])).toThrow(/Two routes/);
  });
});

describe('the state folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-state-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is for its user alone, also when it was open before', async () => {
    const path = join(folder, 'deep/state');
    await mkdir(path, { recursive: true });
    await chmod(path, 0o777);
    const state = await openStateFolder(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    await state.release();
  });

  it('takes one agent at a time, and forgets one that was killed', async () => {
    const state = await openStateFolder(folder);
    await expect(openStateFolder(folder)).rejects.toThrow(/works in .* already/);
    await state.release();
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const ticks = (await readFile(`/proc/${child.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[19];
    await writeFile(join(folder, 'agent.lock'), `${child.pid} ${ticks}\n`);
    await expect(openStateFolder(folder)).rejects.toThrow(new RegExp(`process id ${child.pid}`));
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await openStateFolder(folder)).release();
  });
});
