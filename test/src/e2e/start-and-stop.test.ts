/** The life of the embedded platform as a process. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { checkedFetch } from '../support/checked-fetch.js';
import { newDevice, resultOf, signIn } from '../support/device.js';
import { freePorts, gantry, newDataDir, type Platform, startPlatform } from '../support/platform.js';
import {
  descendantsOf,
  isRunning,
  killGroup,
  root,
  startNode,
  startProgram,
  until,
} from '../support/processes.js';

const running: Platform[] = [];
const start = async (env?: Record<string, string>, dataDir?: string) => {
  const platform = await startPlatform(env, dataDir);
  running.push(platform);
  return platform;
};

afterEach(async () => {
  await Promise.all(running.splice(0).map((platform) => platform.stop('SIGKILL')));
});

const cli = async (platform: Platform, ...args: string[]) => {
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...platform.env };
  const { stdout } = await promisify(execFile)(process.execPath, [gantry, ...args], { cwd: root, env });
  return stdout;
};

describe('the first start', () => {
  it('keeps its secrets to its owner and shows the password once', async () => {
    const platform = await start();
    for (const name of ['gantry.db', 'admin-password'])
      expect(statSync(join(platform.dataDir, name)).mode & 0o777).toBe(0o600);
    expect(statSync(platform.dataDir).mode & 0o777).toBe(0o700);
    expect(platform.adminPassword.length).toBeGreaterThanOrEqual(20);
    expect(platform.output()).toContain(platform.adminPassword);
    await platform.stop('SIGINT');
    const again = await start({}, platform.dataDir);
    expect(again.output()).not.toContain(platform.adminPassword);
    expect(await signIn(again.cloudUrl, 'admin', platform.adminPassword)).toMatch(/./);
  });

  it('takes the password of the first account from a file', async () => {
    const dataDir = newDataDir();
    const file = `${dataDir}-password`;
    writeFileSync(file, 'chosen by the operator\n', { mode: 0o600 });
    const platform = await start({ GANTRY_ADMIN_PASSWORD_FILE: file }, dataDir);
    expect(await signIn(platform.cloudUrl, 'admin', 'chosen by the operator')).toMatch(/./);
    expect(existsSync(join(dataDir, 'admin-password'))).toBe(false);
  });

  it('serves the flavours it was told to', async () => {
    const platform = await start({ GANTRY_FLAVOURS: 'alpha,beta' });
    const device = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
    const functionId = await device.upload('export default () => "here";');
    for (const flavour of ['alpha', 'beta']) {
      const answer = await device.execute(functionId, await device.requirement({ FLAVOUR: flavour }), []);
      expect(resultOf(answer.json)).toBe('here');
    }
    expect((await device.execute(functionId, await device.requirement(), [])).status).toBe(503);
  });
});

describe('a second start', () => {
  it('says that one runs already, and what to do', async () => {
    const platform = await start();
    const second = startNode(gantry, ['up'], freePorts(platform.dataDir));
    expect(await second.ended).not.toBe(0);
    expect(second.output()).toMatch(new RegExp(`already runs.*${platform.pid}.*GANTRY_DATA_DIR`));
  });

  it('names the port that is taken and the setting that changes it', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { port: number };
    const env = { ...freePorts(newDataDir()), GANTRY_EDGE_PORT: String(port) };
    const blocked = startNode(gantry, ['up'], env);
    expect(await blocked.ended).toBe(1);
    expect(blocked.output()).toMatch(new RegExp(`port ${port}.*in use.*GANTRY_EDGE_PORT`));
    holder.close();
  });

  it('lists everything that is wrong with the configuration', async () => {
    const env = { ...freePorts(newDataDir()), GANTRY_BROKER_URL: 'http://x', GANTRY_FLAVOURS: 'a b' };
    const refused = startNode(gantry, ['up'], env);
    expect(await refused.ended).toBe(2);
    expect(refused.output()).toContain('amqp://');
    expect(refused.output()).toContain('comma-separated');
  });

  it('works after a crash: neither the lock nor lost executions are in the way', async () => {
    const platform = await start();
    const device = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
    const requirementId = await device.requirement();
    const functionId = await device.upload(
      'export default async () => { await new Promise((resolve) => setTimeout(resolve, 3000)); return "survived"; };',
    );
    const accepted = await device.execute(functionId, requirementId, [], { mode: 'async' });
    const id = accepted.json.execution_id;
    await until('the execution to run', async () => (await device.read(id)).json.status === 'running');
    await platform.stop('SIGKILL');
    const again = await start({}, platform.dataDir);
    const after = await newDevice(again, { name: 'admin', password: platform.adminPassword });
    const execution = await until(
      'the execution to end',
      async () => {
        const read = (await after.read(id, 20)).json;
        return read.status === 'succeeded' ? read : undefined;
      },
      60_000,
    );
    expect(resultOf(execution)).toBe('survived');
    expect(execution.attempt).toBe(2);
  });
});

describe('the end', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('leaves no process after %s, with code 0', async (signal) => {
    const platform = await start();
    const device = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
    await device.execute(await device.upload('export default () => 1;'), await device.requirement(), []);
    const children = descendantsOf(platform.pid);
    expect(children.length).toBeGreaterThan(0);
    expect(await platform.stop(signal)).toBe(0);
    await until('the children to end', () => !children.some(isRunning), 5000);
  });

  it('comes also when npm, which started it, is told to end', async () => {
    const dataDir = newDataDir();
    const npm = startProgram('npm', ['start', '--', '--json'], freePorts(dataDir));
    try {
      await until('the platform to be ready', () => npm.stdout().includes('"cloud_url"'), 90_000);
      const children = descendantsOf(npm.pid);
      expect(children.length).toBeGreaterThan(0);
      npm.child.kill('SIGTERM');
      await until('everything to end', () => ![npm.pid, ...children].some(isRunning));
      expect(existsSync(join(dataDir, 'gantry.lock'))).toBe(false);
    } finally {
      // Its whole group: what outlived npm would keep its ports.
      if (npm.pid > 0) killGroup(npm.pid);
    }
  }, 120_000);

  it('leaves no process after SIGKILL, even with an endless loop running', async () => {
    const platform = await start();
    const device = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
    const accepted = await device.execute(
      await device.upload('export default () => { for (;;); };'),
      await device.requirement(),
      [],
      { mode: 'async' },
    );
    await until(
      'the loop to run',
      async () => (await device.read(accepted.json.execution_id)).json.status === 'running',
    );
    const children = descendantsOf(platform.pid);
    expect(children.length).toBeGreaterThan(0);
    await platform.stop('SIGKILL');
    await until('the children to end', () => !children.some(isRunning), 10_000);
  });
});

describe('the command line', () => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await startPlatform();
  });
  afterAll(() => platform.stop('SIGKILL'));

  it('signs in by itself and shows what runs', async () => {
    expect(JSON.parse(await cli(platform, 'clusters', 'ls', '--json'))).toMatchObject([{ is_live: true }]);
    expect(JSON.parse(await cli(platform, 'users', 'ls', '--json'))).toMatchObject([{ name: 'admin' }]);
    expect(JSON.parse(await cli(platform, 'keys', 'rotate', '--json'))).toMatchObject({
      id: 2,
      is_current: true,
    });
    await until('a token of the new key to be accepted', async () => {
      const token = await signIn(platform.cloudUrl, 'admin', platform.adminPassword);
      return (await checkedFetch(`${platform.edgeUrl}/v1/executions`, { headers: { token } })).status === 200;
    });
  });

  it('adds an account, changes passwords, and goes on signing in by itself', async () => {
    const added = JSON.parse(await cli(platform, 'users', 'add', 'ada', '--json'));
    expect(await signIn(platform.cloudUrl, 'ada', added.password)).toMatch(/./);
    const changed = JSON.parse(await cli(platform, 'users', 'passwd', '--json'));
    expect(changed.password).not.toBe(platform.adminPassword);
    await cli(platform, 'users', 'rm', 'ada');
    const left = JSON.parse(await cli(platform, 'users', 'ls', '--json'));
    expect(left.map((account: { name: string }) => account.name)).toEqual(['admin']);
    const token = (await cli(platform, 'token', 'new')).trim();
    expect(JSON.parse(await cli(platform, 'token', 'inspect', token, '--json')).length).toBe(token.length);
  });

  it('pushes a function and calls it', async () => {
    const file = join(platform.dataDir, 'double.mjs');
    writeFileSync(file, 'export default (n) => n * 2;');
    const { id } = JSON.parse(await cli(platform, 'functions', 'push', file, '--json'));
    expect((await cli(platform, 'call', String(id), '21')).trim()).toBe('42');
    const limits = [
      '--fresh',
      '--memory',
      '64',
      '--scratch',
      '1',
      '--log-bytes',
      '10',
      '--result-bytes',
      '64',
    ];
    const answer = JSON.parse(await cli(platform, 'call', String(id), '4', ...limits, '--json'));
    expect(answer).toMatchObject({ value: 8, execution_id: expect.stringMatching(/./) });
    expect(answer).not.toHaveProperty('executionId');
    // The password was changed before; the command line keeps the file up to date.
    const password = readFileSync(join(platform.dataDir, 'admin-password'), 'utf8').trim();
    const token = await signIn(platform.cloudUrl, 'admin', password);
    const stored = await checkedFetch(`${platform.cloudUrl}/v1/app_requirements`, { headers: { token } });
    const asked = {
      FRESH: true,
      MAX_MEMORY_MIB: 64,
      MAX_SCRATCH_MIB: 1,
      MAX_LOG_BYTES: 10,
      MAX_RESULT_BYTES: 64,
    };
    expect(stored.json.items).toContainEqual(expect.objectContaining(asked));
    const accepted = JSON.parse(await cli(platform, 'call', String(id), '5', '--async', '--json'));
    const shown = JSON.parse(
      await cli(platform, 'executions', 'show', accepted.execution_id, '--wait', '20', '--json'),
    );
    expect(shown.status).toBe('succeeded');
  });

  it('runs the demonstration', async () => {
    const shown = await cli(platform, 'demo');
    expect(shown).toMatch(/sync/i);
    expect(shown).toMatch(/async/i);
    expect(shown).toMatch(/ms/);
  });

  it('prints the configuration without secrets', async () => {
    const env = { ...freePorts(newDataDir()), GANTRY_BROKER_URL: 'amqp://user:hunter2@127.0.0.1/' };
    const printed = startNode(gantry, ['config', 'print'], env);
    expect(await printed.ended).toBe(0);
    expect(printed.output()).not.toContain('hunter2');
    expect(printed.output()).toContain('dataDir');
  });
});
