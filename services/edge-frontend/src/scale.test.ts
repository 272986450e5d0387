import { AppError, silentLogger } from '@gantry/kernel';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { RuntimeScaler } from './ports.js';
import { request } from './test-support/client.js';
import { type EdgeUnderTest, startEdge } from './test-support/start-edge.js';

jest.setTimeout(60_000);

/** Remembers what it was asked for. */
class NotedScaler implements RuntimeScaler {
  readonly maxRuntimes = 4;
  readonly asked: unknown[] = [];
  readonly counts = new Map<string, number>();
  failure: AppError | undefined;

  async countOf(flavour: string): Promise<number> {
    return this.counts.get(flavour) ?? 1;
  }

  async scaleTo(flavour: string, count: number, options: { timeoutMs: number }): Promise<void> {
    this.asked.push([flavour, count, options.timeoutMs]);
    if (this.failure !== undefined) throw this.failure;
    this.counts.set(flavour, count);
  }
}

const logged: Readonly<Record<string, unknown>>[] = [];
const keep = (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
  if (fields['op'] === 'runtimes.scale') logged.push({ message, ...fields });
};
const logger = { ...silentLogger, info: keep, warn: keep };
const scaler = new NotedScaler();
let edge: EdgeUnderTest;
let twoFlavours: EdgeUnderTest;
let admin: string;

const scale = async (query: string, token = admin, url = edge.url) =>
  request(`${url}/v1/scale?${query}`, { method: 'POST', headers: { token } });

beforeAll(async () => {
  edge = await startEdge({ scaler, logger });
  twoFlavours = await startEdge({ scaler, edge: { flavours: ['Nature', 'other'] } });
  admin = (await edge.cloud.issue('ada', { role: 'administrator' })).token;
});
afterAll(async () => {
  await edge.stop();
  await twoFlavours.stop();
});
beforeEach(() => {
  scaler.asked.length = 0;
  scaler.counts.clear();
  scaler.failure = undefined;
  logged.length = 0;
});

describe('POST /v1/scale', () => {
  it('answers as the original does, and leaves a line for an audit', async () => {
    expect(await scale('target_cardinality=3')).toMatchObject({
      status: 200,
      json: {
        service_id: 'local/Nature',
        state: 2,
        initial_cardinality: 1,
        final_cardinality: 3,
        message: 'Scaling operation completed successfully',
      },
    });
    // 60 s for each one more, and 10 s.
    expect(scaler.asked).toEqual([['Nature', 3, 130_000]]);
    expect(logged).toMatchObject([
      { outcome: 'scaled', account: 'ada', flavour: 'Nature', initial: 1, target: 3 },
    ]);
    expect(await edge.metric('scalings_total')).toBe(1);
  });

  it('takes 0 for 1, and does nothing when there are as many already', async () => {
    const { json, status } = await scale('target_cardinality=0');
    expect([status, json.initial_cardinality, json.final_cardinality]).toEqual([200, 1, 1]);
    expect(scaler.asked).toEqual([]);
    expect(logged).toMatchObject([{ outcome: 'unchanged' }]);
  });

  it.each([
    '',
    'target_cardinality=',
    'target_cardinality=-1',
    'target_cardinality=1.5',
    'target_cardinality=two',
    'target_cardinality=0x2',
    'cardinality=2',
  ])('refuses "%s"', async (query) => {
    const answer = await scale(query);
    expect(answer).toMatchObject({ status: 422, json: { code: 'invalid-request' } });
    expect(answer.json.errors[0].pointer).toBe('/query/target_cardinality');
    expect(scaler.asked).toEqual([]);
  });

  it('refuses more than the most, and says how many those are', async () => {
    const answer = await scale('target_cardinality=5');
    expect(answer).toMatchObject({ status: 422, json: { detail: expect.stringContaining('4 runtimes') } });
  });

  it('is for administrators', async () => {
    const { token } = await edge.cloud.issue('eve', { role: 'user' });
    expect(await scale('target_cardinality=2', token)).toMatchObject({ status: 403 });
    expect(await scale('target_cardinality=2', 'nonsense')).toMatchObject({ status: 401 });
    const bare = await request(`${edge.url}/v1/scale?target_cardinality=2`, { method: 'POST' });
    expect(bare).toMatchObject({ status: 400, json: { code: 'missing-token' } });
    expect(scaler.asked).toEqual([]);
  });

  it('needs a flavour only where several are served, and names them', async () => {
    const other = (await twoFlavours.cloud.issue('ada', { role: 'administrator' })).token;
    const names = { status: 422, json: { detail: expect.stringContaining('Nature, other') } };
    expect(await scale('target_cardinality=2', other, twoFlavours.url)).toMatchObject(names);
    expect(await scale('target_cardinality=2&flavour=nobody', other, twoFlavours.url)).toMatchObject(names);
    const chosen = await scale('target_cardinality=2&flavour=other', other, twoFlavours.url);
    expect(chosen).toMatchObject({ status: 200, json: { service_id: 'local/other' } });
  });

  it.each([
    ['scaling-in-progress', 409],
    ['scaling-failed', 503],
    ['scaling-timeout', 504],
  ] as const)('hands on %s as %d', async (code, status) => {
    scaler.failure = new AppError(code, 'the reason');
    const answer = await scale('target_cardinality=2');
    expect(answer).toMatchObject({ status, json: { code, detail: 'the reason' } });
    expect(answer.headers.get('retry-after')).toBe(status === 409 ? null : '1');
    expect(logged).toMatchObject([{ message: 'runtimes could not be scaled', outcome: code, target: 2 }]);
  });
});

it('an edge frontend without a scaler says so', async () => {
  const plain = await startEdge();
  try {
    const { token } = await plain.cloud.issue('ada', { role: 'administrator' });
    const answer = await scale('target_cardinality=2', token, plain.url);
    expect(answer).toMatchObject({ status: 403, json: { code: 'scaling-disabled' } });
  } finally {
    await plain.stop();
  }
});
