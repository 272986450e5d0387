import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentInfo } from '@gantry/contracts';
import { silentLogger } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type AgentStatus, readAgentStatus, statusPathIn, toStatus } from './agent-status.js';
import { BridgeConnection } from './bridge/bridge-connection.js';
import { openStateFolder } from './core/state-folder.js';
import { StatusFile } from './status-file.js';

const statusOf = (more: Partial<AgentStatus> = {}): AgentStatus => ({
  ...{ pid: process.pid, node: 'n1', version: '1.0.0', started_at: '2026-01-01T00:00:00Z' },
  ...{ bridge_url: 'http://127.0.0.1:1341', is_connected: false, plugins: [] },
  not_connected_because: null,
  config: { revision: null, refused: null },
  events: { waiting: 2, dropped_total: 0 },
  ...more,
});

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'gantry-status-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describe('the status of the agent of a machine', () => {
  it('is nothing where there is no agent', async () => {
    const nothing = { pid: null, enrolled_as: null, status: null };
    expect(await readAgentStatus(dataDir)).toEqual(nothing);
    expect(await readAgentStatus(join(dataDir, 'missing'))).toEqual(nothing);
  });

  it('follows the agent while it runs, and is gone with it', async () => {
    const folder = await openStateFolder(dataDir);
    let current = statusOf();
    const path = statusPathIn(dataDir);
    const file = new StatusFile({ path, read: () => current, logger: silentLogger, everyMs: 5 });
    await file.start();
    expect(await readAgentStatus(dataDir)).toMatchObject({
      pid: process.pid,
      status: { is_connected: false },
    });
    current = statusOf({ is_connected: true });
    for (let tries = 0; !(await readFile(path, 'utf8')).includes('"is_connected":true'); tries += 1) {
      expect(tries).toBeLessThan(2000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect((await readAgentStatus(dataDir)).status).toEqual(current);
    await file.stop();
    await folder.release();
    expect(await readAgentStatus(dataDir)).toMatchObject({ pid: null, status: null });
  });

  it('says why the agent is not connected', async () => {
    const front = createServer((_request, response) => void response.end());
    front.on('upgrade', (_request, socket) => {
      const body = JSON.stringify({ detail: 'the credential was revoked' });
      socket.end(`HTTP/1.1 401 Unauthorized\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    const bridge = new BridgeConnection({
      bridgeUrl: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
      ...{ ca: undefined, connections: 1, credential: () => undefined, handler: () => undefined },
      logger: silentLogger,
    });
    expect(bridge.whyNotConnected).toBeNull();
    bridge.start();
    for (let tries = 0; bridge.whyNotConnected === null; tries += 1) {
      expect(tries).toBeLessThan(2000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { isConnected, whyNotConnected } = bridge;
    await bridge.stop();
    front.closeAllConnections();
    front.close();
    const info = {
      config: { revision: null, refused: null },
      events: {},
      plugins: [],
    } as unknown as AgentInfo;
    expect(toStatus(info, { url: 'http://b', isConnected, whyNotConnected })).toMatchObject({
      is_connected: false,
      not_connected_because: 'the bridge refused with 401: the credential was revoked',
    });
  });

  it('is not what an earlier process left, nor rubbish', async () => {
    const folder = await openStateFolder(dataDir);
    await writeFile(statusPathIn(dataDir), JSON.stringify(statusOf({ pid: process.pid + 1 })));
    expect(await readAgentStatus(dataDir)).toMatchObject({ pid: process.pid, status: null });
    await writeFile(statusPathIn(dataDir), '{"pid":');
    expect((await readAgentStatus(dataDir)).status).toBeNull();
    await folder.release();
  });
});
