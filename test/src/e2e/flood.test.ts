/** Ten thousand calls at once: each gets an answer, and memory stays bounded. */
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { newDevice, resultOf } from '../support/device.js';
import { type Platform, startPlatform } from '../support/platform.js';
import { residentBytes } from '../support/processes.js';

const calls = 10_000;
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
}, 90_000);

afterAll(async () => {
  await platform.stop();
});

it('answers each of 10,000 concurrent calls with 200, 429 or 503 and stays below 1 GB', async () => {
  const device = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
  const functionId = await device.upload('export default (n) => n;');
  const requirementId = await device.requirement();
  const url = `${platform.edgeUrl}/v1/functions/${functionId}/execute?app_req_id=${requirementId}&mode=sync`;
  const agent = new Agent({ maxSockets: Number.POSITIVE_INFINITY });
  let peakBytes = 0;
  const sampler = setInterval(() => {
    peakBytes = Math.max(peakBytes, residentBytes(platform.pid));
  }, 50);
  const statuses = await Promise.all(Array.from({ length: calls }, () => post(url, agent, device.token)));
  clearInterval(sampler);
  agent.destroy();
  const counts = new Map<number, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  expect([...counts.keys()].filter((status) => ![200, 429, 503].includes(status))).toEqual([]);
  expect(counts.get(200) ?? 0).toBeGreaterThanOrEqual(50);
  expect(peakBytes).toBeLessThan(1e9);
  const after = await device.execute(functionId, requirementId, ['still here']);
  expect(resultOf(after.json)).toBe('still here');
}, 180_000);

/** The status of one call; 0 when there was no answer. */
function post(url: string, agent: Agent, token: string): Promise<number> {
  return new Promise((resolve) => {
    const call = request(url, { method: 'POST', agent, headers: { token }, timeout: 90_000 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(0));
    call.end('["MQ=="]');
  });
}
