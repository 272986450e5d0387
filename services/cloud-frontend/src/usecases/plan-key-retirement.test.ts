import { describe, expect, it } from '@jest/globals';
import { planKeyRetirement } from './plan-key-retirement.js';

const hour = 3_600_000;
const lifetimeMs = 24 * hour;
const keysAt = (...hours: number[]) =>
  hours.map((at, index) => ({ id: index + 1, privateKey: '', publicKey: '', createdAtMs: at * hour }));

describe('planKeyRetirement', () => {
  it.each<[string, number[], number, number | undefined]>([
    ['no key', [], 100, undefined],
    ['the only key, however old', [0], 1000, undefined],
    ['a key whose successor is younger than a token lives', [0, 10], 33, undefined],
    ['a key whose successor is a token life old, within the grace', [0, 10], 34, undefined],
    ['a key whose successor is older than that', [0, 10], 35, 10],
    ['all but the ones that a token can need', [0, 1, 2, 50], 60, 2],
  ])('%s', (_what, hours, now, expected) => {
    const plan = planKeyRetirement(keysAt(...hours), now * hour, lifetimeMs);
    expect(plan).toBe(expected === undefined ? undefined : expected * hour);
  });
});
