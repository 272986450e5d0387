import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type AgentStatus, readAgentStatus, statusPathIn } from './agent-status.js';
import { openStateFolder } from './core/state-folder.js';
import { StatusFile } from './status-file.js';

const statusOf = (more: Partial<AgentStatus> = {}): AgentStatus => ({
  ...{ pid: process.pid, node: 'n1', version: '1.0.0', started_at: '2026-01-01T00:00:00Z' },
  ...{ bridge_url: 'http://127.0.0.1:1341', is_connected: false, plugins: [] },
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

  it('is not what an earlier process left, nor rubbish', async () => {
    const folder = await openStateFolder(dataDir);
    await writeFile(statusPathIn(dataDir), JSON.stringify(statusOf({ pid: process.pid + 1 })));
    expect(await readAgentStatus(dataDir)).toMatchObject({ pid: process.pid, status: null });
    await writeFile(statusPathIn(dataDir), '{"pid":');
    expect((await readAgentStatus(dataDir)).status).toBeNull();
    await folder.release();
  });
});
