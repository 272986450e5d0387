import { type RuntimeStatus, subscribeRuntimes } from '@gantry/broker';
import { silentLogger } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeFrontend, flavour } from './testing/broker-fixture.js';
import { until } from './testing/sandbox-fixture.js';

const slow = 'export default (ms) => new Promise((r) => setTimeout(r, ms));';

let frontend: FakeFrontend;
beforeEach(async () => {
  frontend = new FakeFrontend();
  await frontend.start();
});
afterEach(() => frontend.stop());

describe('announcements', () => {
  const statuses: RuntimeStatus[] = [];
  const listen = async () => {
    statuses.length = 0;
    await subscribeRuntimes({
      ...{ broker: frontend.broker, frontendId: 'f1', logger: silentLogger },
      onStatus: (status) => statuses.push(status),
    });
  };

  it('say what is served, how, and what is missing; and at the end that it is over', async () => {
    await listen();
    const runtime = await frontend.runtime({ pythonExecutable: '/nowhere/python3', slots: 2 });
    await until(() => statuses.length > 0, 'announced');
    const reason = expect.stringMatching('/nowhere/python3 .* install the Debian package python3');
    expect(statuses[0]).toMatchObject({
      runtimeId: 'r1',
      flavours: [
        {
          ...{ name: flavour, isolation: 'process', slots: 2, running: 0 },
          languages: [
            { language: 'PY', available: false, reason },
            { language: 'C', available: false, reason },
            { language: 'JS', available: true },
          ],
        },
      ],
    });
    await runtime.stop();
    await until(() => statuses.at(-1)?.flavours.length === 0, 'said that it is over');
  });

  it('come again and again, and at once when a frontend asks', async () => {
    await frontend.runtime({ announceMs: 20 });
    await listen();
    await until(() => statuses.length >= 3, 'announced three times');
    const quiet = await frontend.runtime({ announceMs: 60_000 });
    await listen();
    await until(() => statuses.some(({ runtimeId }) => runtimeId === quiet.runtimeId), 'answered');
  });

  it('tell how much runs', async () => {
    await listen();
    const runtime = await frontend.runtime({ announceMs: 20 });
    await frontend.send(frontend.request(slow), [400]);
    await until(() => runtime.running === 1, 'running');
    await until(() => statuses.at(-1)?.flavours[0]?.running === 1, 'told');
  });
});
