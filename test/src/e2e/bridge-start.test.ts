/** `npm start`: the machine is a node of its own bridge from the first moment on. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NodeView } from '@gantry/contracts';
import { afterEach, describe, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { runGantry } from '../support/command-line.js';
import { gantry, type Platform, startPlatform } from '../support/platform.js';
import { descendantsOf, isRunning, root, startNode, until } from '../support/processes.js';

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
  descendantsOf(platform.pid).find((pid) => commandOf(pid).includes('edge-agent/dist/main.js'));

/** Empty for a process that ended meanwhile. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** A page that shows what it was asked, with a WebSocket that repeats what it hears. */
async function startSite() {
  const server = createServer((request, response) => {
    response.setHeader('set-cookie', 'seen=1');
    response.end(`${request.url} ${request.headers.cookie ?? ''}`);
  });
  new WebSocketServer({ server }).on('connection', (socket) =>
    socket.on('message', (message) => socket.send(message)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe('the agent of the embedded platform', () => {
  it('is there with the platform, called after the machine, and answers to the command line', async () => {
    const platform = await start();
    const name = hostname().split('.')[0] ?? '';
    const [node, ...others] = (await cli(platform, 'nodes', 'ls')) as NodeView[];
    expect(others).toEqual([]);
    expect(node).toMatchObject({ name, state: 'connected', owner: 'admin', kind: 'gantry' });
    const answer = await cli(platform, 'nodes', 'call', name, 'sysinfo', 'metrics');
    expect(answer).toMatchObject({ status: 200, body: { system: { hostname: hostname() } } });
    // Whoever runs programs as the user of the platform reads its administrator's password.
    for (const rights of [['sysinfo:read', 'jobs:submit'], ['psij:*'], ['*']]) {
      const shared = await runGantry(['nodes', 'share', name, 'bob', ...rights, '--json'], platform);
      expect([shared.code, JSON.parse(shared.stdout).error.code]).toEqual([2, 'invalid-request']);
    }
    expect(await cli(platform, 'nodes', 'share', name, 'bob', 'sysinfo:read', 'jobs:read')).toMatchObject({
      grants: [{ user: 'bob' }],
    });
  });

  it('lets a web page of the machine be opened through the bridge, once its port is opened', async () => {
    const platform = await start();
    const site = await startSite();
    try {
      const [node] = (await cli(platform, 'nodes', 'ls')) as NodeView[];
      const name = node?.name ?? '';
      const port = String(site.port);
      const closed = await runGantry(['ports', 'forward', name, port, '--json'], platform);
      expect([closed.code, JSON.parse(closed.stdout).error.code]).toEqual([3, 'forbidden']);
      await cli(platform, 'nodes', 'settings', 'set', name, `ports.allow=[${port}]`);
      expect(await cli(platform, 'ports', 'ls', name)).toEqual([site.port]);
      const forward = startNode(gantry, ['ports', 'forward', name, port, '--json'], platform.env);
      const listening = await until('the port to be there', () => {
        const end = forward.stdout().indexOf('\n}');
        return end > 0 && String(JSON.parse(forward.stdout()).listening);
      });
      expect(listening).not.toBe(`127.0.0.1:${port}`);
      const page = await fetch(`http://${listening}/a%2Fb?c=1`, { headers: { cookie: 'session=7' } });
      expect([page.headers.get('set-cookie'), await page.text()]).toEqual(['seen=1', '/a%2Fb?c=1 session=7']);
      const socket = new WebSocket(`ws://${listening}/`);
      socket.once('open', () => socket.send('hello'));
      const [echo] = (await once(socket, 'message')) as [Buffer];
      expect(String(echo)).toBe('hello');
      socket.terminate();
      expect(await forward.stop('SIGINT')).toBe(0);
      await site.stop();
      const silent = await runGantry(['ports', 'forward', name, port, '--json'], platform);
      expect(JSON.parse(silent.stdout).error.code).toBe('port-closed');
    } finally {
      await site.stop();
    }
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
