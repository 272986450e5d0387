import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { closePairs, openPair, type PairOptions, until } from './pair.fixture.js';
import { planOrder, TunnelGroup } from './tunnel-group.js';

afterEach(closePairs);

const problem = (code: string) => expect.objectContaining({ name: 'AppError', code });
const load = (name: string, openStreams: number, more: object = {}) => ({
  name,
  isOpen: true,
  hasRoom: true,
  openStreams,
  pendingBytes: 0,
  ...more,
});

async function openGroup(connections: number, options: PairOptions = {}) {
  const { bridge, dialler } = await openPair({ ...options, connections });
  await bridge.tunnel(connections - 1);
  const ends: unknown[] = [];
  const group = new TunnelGroup('a node', { onEmpty: (end) => ends.push(end) });
  for (const tunnel of bridge.tunnels) group.add(tunnel);
  return { group, bridge, dialler, ends };
}

describe('the order in which connections are tried', () => {
  it.each([
    ['small requests take the first', false, [load('a', 9), load('b', 0)], 'ab'],
    ['bulk takes another', true, [load('a', 0), load('b', 9)], 'ba'],
    ['bulk takes the least loaded of the others', true, [load('a', 0), load('b', 2), load('c', 1)], 'cba'],
    [
      'bulk looks at waiting bytes next',
      true,
      [load('a', 0), load('b', 1, { pendingBytes: 5 }), load('c', 1)],
      'cba',
    ],
    ['bulk takes the first when it is alone', true, [load('a', 5)], 'a'],
    ['full ones go last', false, [load('a', 9, { hasRoom: false }), load('b', 3), load('c', 1)], 'cba'],
    ['closed ones do not count', false, [load('a', 0, { isOpen: false }), load('b', 0)], 'b'],
    ['none is none', false, [], ''],
  ])('%s', (_title, isBulk, tunnels, expected) => {
    expect(
      planOrder(tunnels, isBulk)
        .map(({ name }) => name)
        .join(''),
    ).toBe(expected);
  });
});

describe('the connections of a node', () => {
  it('share the work: bulk stays off the first', async () => {
    const { group } = await openGroup(3, { handler: (_request, response) => void response.write('begun') });
    for (let count = 0; count < 4; count += 1) await group.request({ method: 'GET', path: '/', bulk: true });
    await group.request({ method: 'GET', path: '/' });
    expect(group.tunnels.map(({ openStreams }) => openStreams)).toEqual([1, 2, 2]);
    expect(group.openStreams).toBe(5);
  });

  it('stand in for each other when one is full, and say so when all are', async () => {
    const { group } = await openGroup(2, {
      limits: { maxConcurrentStreams: 1 },
      handler: (_request, response) => void response.write('begun'),
    });
    await group.request({ method: 'GET', path: '/' });
    await group.request({ method: 'GET', path: '/' });
    expect(group.tunnels.map(({ openStreams }) => openStreams)).toEqual([1, 1]);
    await expect(group.request({ method: 'GET', path: '/' })).rejects.toEqual(problem('node-busy'));
  });

  it('stand in for each other when one is lost, and the group is empty with the last', async () => {
    const { group, dialler, ends } = await openGroup(2);
    group.tunnels[0]?.close('a test');
    await until(() => group.tunnels.length === 1, 'one is left');
    expect(await text((await group.request({ method: 'GET', path: '/' })).body)).toBe('ok');
    expect(await group.ping()).toBeGreaterThan(0);
    await dialler.close();
    await until(() => ends.length === 1, 'the group is empty');
    expect(group.isOpen).toBe(false);
    await expect(group.request({ method: 'GET', path: '/' })).rejects.toEqual(problem('node-unreachable'));
  });

  it('never do again what a lost one may have begun, whatever the method', async () => {
    let runs = 0;
    const { group } = await openGroup(2, {
      handler: () => {
        runs += 1;
      },
    });
    const methods = ['POST', 'PUT', 'GET', 'DELETE'];
    const open = methods.map((method) => group.request({ method, path: '/', body: 'x' }));
    await until(() => runs === methods.length, 'all have begun');
    const [first, second] = group.tunnels;
    expect([first?.openStreams, second?.openStreams]).toEqual([methods.length, 0]);
    first?.close('a test');
    for (const one of open) await expect(one).rejects.toEqual(problem('node-lost'));
    // The other connection is there and works: a request that came twice would be before this one.
    expect(await second?.ping()).toBeGreaterThan(0);
    expect(runs).toBe(methods.length);
  });

  it('are bounded', async () => {
    const { bridge } = await openPair({ connections: 2 });
    await bridge.tunnel(1);
    const group = new TunnelGroup('a node', { maxTunnels: 1 });
    const [first, second] = bridge.tunnels;
    if (first === undefined || second === undefined) throw new Error('two tunnels were opened');
    group.add(first);
    expect(() => group.add(second)).toThrow(problem('node-busy'));
  });
});
