import { describe, expect, it } from '@jest/globals';
import { type DialEnd, planDelayMs } from './dialler-state.js';
import { resolveLimits } from './limits.js';
import { toMessages } from './web-socket-stream.js';

const lost: DialEnd = { kind: 'unreachable', reason: 'ECONNREFUSED' };
const refused = (retryAfterMs?: number): DialEnd => ({
  kind: 'refused',
  status: 401,
  detail: '',
  retryAfterMs,
});

describe('the pause before the next dial', () => {
  it.each([
    [0, 0, 0],
    [0, 0.999, 199],
    [3, 0.5, 800],
    [10, 0.999, 9990],
    [1000, 0.999, 9990],
  ])('after attempt %d with luck %d is %d ms: full jitter up to 10 s', (attempt, luck, expected) => {
    expect(planDelayMs(lost, attempt, () => luck)).toBe(expected);
  });

  it('after a refusal is never nothing, and as long as the bridge asks, up to a minute', () => {
    expect(planDelayMs(refused(), 0, () => 0)).toBe(100);
    expect(planDelayMs(refused(), 10, () => 0)).toBe(5000);
    expect(planDelayMs(refused(30_000), 0, () => 0)).toBe(30_000);
    expect(planDelayMs(refused(3_600_000), 0, () => 0)).toBe(60_000);
  });
});

describe('limits', () => {
  it('refuse what no connection could work with', () => {
    for (const bad of [
      { maxConcurrentStreams: 0 },
      { streamWindowBytes: -1 },
      { heartbeatIntervalMs: 10_001 },
      { maxMessageBytes: 1024 },
      { handshakeTimeoutMs: Number.NaN },
    ])
      expect(() => resolveLimits(bad)).toThrow(RangeError);
    expect(resolveLimits({ streamIdleTimeoutMs: 0 }).streamIdleTimeoutMs).toBe(0);
  });
});

describe('messages', () => {
  it.each([
    [[], []],
    [[3, 4], [7]],
    [
      [9, 9],
      [9, 9],
    ],
    [
      [10, 1],
      [10, 1],
    ],
    [[25], [10, 10, 5]],
    [
      [4, 25, 2],
      [4, 10, 10, 7],
    ],
  ])('chunks of %j bytes leave as messages of %j', (chunks, expected) => {
    const messages = toMessages(
      chunks.map((bytes) => Buffer.alloc(bytes, bytes)),
      10,
    );
    expect(messages.map(({ length }) => length)).toEqual(expected);
    expect(Buffer.concat(messages)).toEqual(Buffer.concat(chunks.map((bytes) => Buffer.alloc(bytes, bytes))));
  });
});
