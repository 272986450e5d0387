/** `npm start`: the machine is a node of its own bridge from the first moment on. */
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NodeView } from '@gantry/contracts';
import { afterEach, describe, expect, it } from '@jest/globals';
import { gantry, type Platform, startPlatform } from '../support/platform.js';
import { descendantsOf, isRunning, root, until } from '../support/processes.js';

const withAgent = { GANTRY_LOCAL_AGENT: 'true' };
const running: Platform[] = [];
async function start(dataDir?: string): Promise<Platform> {
  const platform = await startPlatform(withAgent, dataDir);
  running.push(platform);
  return platform;
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((platform) => platform.stop('SIGKILL')));
});

async function cli(platform: Platform, ...args: string[]): Promise<unknown> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...platform.env };
  const { stdout } = await promisify(execFile)(process.execPath, [gantry, ...args, '--json'], {
    cwd: root,
    env,
  });
  return JSON.parse(stdout);
}

const agentOf = (platform: Platform) =>
  descendantsOf(platform.pid).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('edge-agent/dist/main.js'),
  );

describe('the agent of the embedded platform', () => {
  it('is there with the platform, called after the machine, and answers to the command line', async () => {
    const platform = await start();
    const name = hostname().split('.')[0] ?? '';
    const [node, ...others] = (await cli(platform, 'nodes', 'ls')) as NodeView[];
    expect(others).toEqual([]);
    expect(node).toMatchObject({ name, state: 'connected', owner: 'admin', kind: 'gantry' });
    const answer = await cli(platform, 'nodes', 'exec', name, 'sysinfo', 'metrics');
    expect(answer).toMatchObject({ status: 200, body: { system: { hostname: hostname() } } });
  });

  it('has its own credential and none of the platform, and ends with it', async () => {
    const platform = await start();
    const pid = agentOf(platform) ?? -1;
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    for (const name of ['GANTRY_DATA_DIR=', 'PASSWORD', 'BROKER', 'STORE'])
      expect(environment).not.toContain(name);
    const file = join(platform.dataDir, 'agent', 'credential.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await platform.stop('SIGINT')).toBe(0);
    expect(isRunning(pid)).toBe(false);
    // The next start keeps the credential.
    const before = readFileSync(file, 'utf8');
    const again = await start(platform.dataDir);
    expect(await cli(again, 'nodes', 'ls')).toMatchObject([{ state: 'connected' }]);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('is started again when it dies, and does not outlive a platform that is killed', async () => {
    const platform = await start();
    const first = agentOf(platform) ?? -1;
    process.kill(first, 'SIGKILL');
    const second = await until('another agent', () => {
      const pid = agentOf(platform);
      return pid !== undefined && pid !== first && pid;
    });
    await until('it to be connected', async () => {
      const [node] = (await cli(platform, 'nodes', 'ls')) as NodeView[];
      return node?.state === 'connected';
    });
    await platform.stop('SIGKILL');
    await until('the agent to end', () => !isRunning(second));
  });
});
