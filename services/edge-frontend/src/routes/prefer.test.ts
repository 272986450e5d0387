import { describe, expect, it } from '@jest/globals';
import { parsePrefer } from './prefer.js';

describe('the header Prefer', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['return=minimal', undefined],
    ['wait=soon', undefined],
    ['respond-async', { isAsync: true, waitSeconds: undefined, applied: 'respond-async' }],
    ['Respond-Async', { isAsync: true, waitSeconds: undefined, applied: 'respond-async' }],
    ['wait=5', { isAsync: false, waitSeconds: 5, applied: 'wait=5' }],
    ['wait = "5"', { isAsync: false, waitSeconds: 5, applied: 'wait=5' }],
    ['wait=0', { isAsync: false, waitSeconds: 0, applied: 'wait=0' }],
    ['wait=9999', { isAsync: false, waitSeconds: 60, applied: 'wait=60' }],
    ['respond-async;x=1, wait=10', { isAsync: true, waitSeconds: 10, applied: 'respond-async, wait=10' }],
  ])('%j', (header, expected) => {
    expect(parsePrefer(header)).toEqual(expected);
  });

  it('may come in several lines', () => {
    expect(parsePrefer(['wait=3', 'respond-async'])).toMatchObject({ isAsync: true, waitSeconds: 3 });
  });
});
