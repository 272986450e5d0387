import { describe, expect, it } from '@jest/globals';
import { type LaneView, planNext } from './plan-next.js';

const idle: LaneView = { hasSync: false, hasAsync: false, syncInARow: 0, asyncWaitedMs: 0 };

describe('planNext', () => {
  it.each<[string, Partial<LaneView>, ReturnType<typeof planNext>]>([
    ['nothing held', {}, 'none'],
    ['only a call', { hasSync: true, syncInARow: 100 }, 'sync'],
    ['only an asynchronous one', { hasAsync: true }, 'async'],
    ['both: the call first', { hasSync: true, hasAsync: true }, 'sync'],
    ['both, seven calls in a row', { hasSync: true, hasAsync: true, syncInARow: 7 }, 'sync'],
    ['both, eight calls in a row', { hasSync: true, hasAsync: true, syncInARow: 8 }, 'async'],
    ['both, held for just under a second', { hasSync: true, hasAsync: true, asyncWaitedMs: 999 }, 'sync'],
    ['both, held for a second', { hasSync: true, hasAsync: true, asyncWaitedMs: 1000 }, 'async'],
  ])('%s', (_name, view, expected) => {
    expect(planNext({ ...idle, ...view })).toBe(expected);
  });
});
