import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sysinfoMetricsSchema } from '@gantry/contracts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { filesPlugin } from './plugins/files/index.js';
import { sysinfoPlugin } from './plugins/sysinfo/index.js';
import { type RunningAgent, startAgent } from './test-support/start-agent.js';

describe('an agent behind a plain HTTP server', () => {
  let running: RunningAgent;
  beforeAll(async () => {
    running = await startAgent([sysinfoPlugin, filesPlugin]);
  });
  afterAll(() => running.stop());

  it('tells how the machine does, in the declared shape', async () => {
    const response = await running.call('/sysinfo/metrics');
    expect(response.status).toBe(200);
    const metrics = sysinfoMetricsSchema.parse(await response.json());
    expect(metrics.memory.total).toBeGreaterThan(0);
    expect(metrics.cpu.cores_logical).toBeGreaterThan(0);
  });

  it('gives out a file, byte by byte', async () => {
    const folder = join(running.dataDir, 'plugins/files/own');
    await mkdir(folder, { recursive: true });
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    await writeFile(join(folder, 'a.bin'), bytes);
    const response = await running.call('/files/content?path=a.bin');
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
  });

  it('lets nobody in without a statement of who calls', async () => {
    const response = await fetch(`${running.url}/sysinfo/metrics`);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'invalid-token', detail: 'No caller' });
  });
});
