/** The platform when its store cannot write: a limit on file sizes is set on the running process, then lifted. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type Device, newDevice, resultOf } from '../support/device.js';
import { type Platform, startPlatform } from '../support/platform.js';
import { until } from '../support/processes.js';

let platform: Platform;
let device: Device;

beforeAll(async () => {
  platform = await startPlatform();
  device = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
}, 90_000);

afterAll(async () => {
  await platform?.stop();
});

/** prlimit(1): no file of the process may grow beyond so many bytes; the soft limit only, so that it can be lifted. */
const limitFileSize = (bytes: string) =>
  execFileSync('prlimit', ['--pid', String(platform.pid), `--fsize=${bytes}:`]);

it('answers 503 to what must be kept, goes on with what need not be, and recovers when there is room', async () => {
  const functionId = await device.upload('export default (n) => n + 1;');
  const requirementId = await device.requirement();
  const kept = await device.execute(functionId, requirementId, [1], { mode: 'async' });
  expect((await device.read(kept.json.execution_id, 20)).json.status).toBe('succeeded');

  limitFileSize('4096');
  const refused = await device.execute(functionId, requirementId, [2], { mode: 'async' });
  expect([refused.status, refused.json.code]).toEqual([503, 'store-unavailable']);
  expect(refused.headers.get('retry-after')).not.toBeNull();
  expect(resultOf((await device.execute(functionId, requirementId, [3])).json)).toBe(4);
  await until('readiness to say so', async () => (await fetch(`${platform.edgeUrl}/readyz`)).status === 503);

  limitFileSize('unlimited');
  await until(
    'the platform to be ready again',
    async () => (await fetch(`${platform.edgeUrl}/readyz`)).status === 200,
  );
  const accepted = await device.execute(functionId, requirementId, [4], { mode: 'async' });
  expect(resultOf((await device.read(accepted.json.execution_id, 20)).json)).toBe(5);
  expect((await device.read(kept.json.execution_id)).json.status).toBe('succeeded');
});
