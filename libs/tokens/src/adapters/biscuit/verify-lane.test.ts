import { silentLogger } from '@gantry/kernel';
import { afterEach, describe, expect, it } from '@jest/globals';
import { BiscuitIssuer } from './biscuit-issuer.js';
import { newSigningKey } from './signing-key.js';
import { fromTokenText } from './token-container.js';
import { VerifyLane } from './verify-lane.js';

const key = newSigningKey(1);
const nowMs = Date.UTC(2026, 0, 1);
const options = {
  name: 'test',
  limitMs: 30_000,
  queueLimit: 1000,
  queueTimeoutMs: 60_000,
  hasSpare: false,
  retireAfter: 8000,
  logger: silentLogger,
};

async function buildRequest() {
  const principal = { user: 'ada', org: undefined, role: 'user' } as const;
  const { token } = await new BiscuitIssuer(() => [key]).issue(principal, { nowMs, lifetimeMs: 3_600_000 });
  return { bytes: fromTokenText(token), publicKey: key.publicKey, nowMs };
}

describe('VerifyLane', () => {
  let lane: VerifyLane;
  afterEach(() => lane.close());

  it('verifies 10,000 tokens with threads that are retired in between, without losing one', async () => {
    lane = new VerifyLane({ ...options, retireAfter: 2000 });
    await lane.ready();
    const request = await buildRequest();
    const kinds = new Map<string, number>();
    for (let round = 0; round < 100; round += 1) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => lane.run(request)));
      for (const { kind } of answers) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    expect((kinds.get('valid') ?? 0) + (kinds.get('timeout') ?? 0)).toBe(10_000);
    expect(kinds.get('valid')).toBeGreaterThan(9900);
    expect(lane.startedThreads).toBeGreaterThan(2);
  }, 180_000);

  it('goes on when a retired thread has no spare to follow at once', async () => {
    lane = new VerifyLane({ ...options, retireAfter: 1 });
    const request = await buildRequest();
    const answers = await Promise.all(Array.from({ length: 5 }, () => lane.run(request)));
    expect(answers.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'valid'));
  }, 60_000);

  it('is ready at once when it is closed, and can be closed twice', async () => {
    lane = new VerifyLane(options);
    const ready = lane.ready();
    await lane.close();
    await ready;
    await lane.close();
    expect(await lane.run(await buildRequest())).toEqual({ kind: 'closed' });
  });
});
