import { describe, expect, it } from '@jest/globals';
import { collectLatenciesMs } from './collect-latencies.js';

describe('collectLatenciesMs', () => {
  it.each<[string, unknown, number[]]>([
    ['a number', 12.5, [12.5]],
    ['an object by cluster', { madrid: 12, bilbao: '7.5' }, [12, 7.5]],
    [
      'a list of objects',
      [
        { cluster_id: 3, latency: 8 },
        { clusterId: 4, latency: 9 },
      ],
      [8, 9],
    ],
    ['nothing that is an id', { ID: 7, device_id: 8, ids: [1, 2], deviceIDs: 3 }, []],
    ['nothing that is no latency', { a: -1, b: null, c: true, d: 'error', e: 1e12, f: '' }, []],
    ['nothing deeper than a report can mean', { a: { b: { c: { d: { e: 1 } } } } }, []],
    ['null', null, []],
  ])('%s', (_what, body, expected) => {
    expect(collectLatenciesMs(body)).toEqual(expected);
  });

  it('is bounded', () => {
    expect(collectLatenciesMs(Array.from({ length: 10_000 }, () => 1))).toHaveLength(256);
  });
});
