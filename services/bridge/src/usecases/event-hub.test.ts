import type { Principal } from '@gantry/contracts';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { type EventAccess, EventHub, type HubItem } from './event-hub.js';

const as = (user: string, role: Principal['role'] = 'user'): Principal => ({ user, org: undefined, role });
const eventOf = (node: string, seq: number, audience: string | null = null, data: unknown = null) =>
  ({
    kind: 'event',
    node,
    event: { epoch: 'e', seq, time: '2026-01-01T00:00:00Z', plugin: 'jobs', topic: 'state', audience, data },
  }) as const;

function newHub(limits = { maxReaders: 3, maxReadersPerUser: 2 }) {
  const access = new Map<string, EventAccess>([
    ['n1', { owner: 'olga', grants: [{ user: 'bob', rights: ['jobs:read'] }] }],
    ['n2', { owner: 'carla', grants: [] }],
  ]);
  const hub = new EventHub((node) => access.get(node), limits);
  return { hub, access };
}

/** What a reader got until the hub is closed. */
async function rest(items: AsyncGenerator<HubItem>, count: number): Promise<HubItem[]> {
  const seen: HubItem[] = [];
  for await (const item of items) if (seen.push(item) >= count) break;
  return seen;
}
const seqOf = ({ value }: HubItem) => (value.kind === 'event' ? value.event.seq : value.kind);

describe('EventHub', () => {
  let signal: AbortSignal;
  beforeEach(() => {
    signal = new AbortController().signal;
  });

  it('gives a reader the events of nodes that it has a right to, at that moment', async () => {
    const { hub, access } = newHub();
    const bob = hub.read(as('bob'), { signal });
    const root = hub.read(as('root', 'administrator'), { signal });
    hub.publish(eventOf('n1', 1));
    hub.publish(eventOf('n2', 2));
    access.set('n1', { owner: 'olga', grants: [] });
    hub.publish(eventOf('n1', 3));
    access.set('n2', { owner: 'carla', grants: [{ user: '*', rights: ['jobs:read'] }] });
    hub.publish(eventOf('n2', 4));
    hub.publish(eventOf('unknown', 5));
    expect((await rest(bob, 2)).map(seqOf)).toEqual([1, 4]);
    expect((await rest(root, 4)).map(seqOf)).toEqual([1, 2, 3, 4]);
  });

  it('shows an event with an audience to that user and to administrators only', async () => {
    const { hub } = newHub();
    const [bob, olga, root] = [as('bob'), as('olga'), as('root', 'administrator')].map((one) =>
      hub.read(one, { signal }),
    );
    hub.publish(eventOf('n1', 1, 'bob'));
    hub.publish(eventOf('n1', 2));
    expect((await rest(bob as AsyncGenerator<HubItem>, 2)).map(seqOf)).toEqual([1, 2]);
    expect((await rest(olga as AsyncGenerator<HubItem>, 1)).map(seqOf)).toEqual([2]);
    expect((await rest(root as AsyncGenerator<HubItem>, 2)).map(seqOf)).toEqual([1, 2]);
  });

  it('drops the oldest for a reader that is too slow, says how many, and holds nobody else up', async () => {
    const { hub } = newHub();
    const slow = hub.read(as('olga'), { signal });
    for (let seq = 1; seq <= 1500; seq += 1) hub.publish(eventOf('n1', seq));
    const [gap, next] = await rest(slow, 2);
    expect(gap?.value).toEqual({ kind: 'gap', dropped: 500 });
    expect(next && seqOf(next)).toBe(501);
  });

  it('bounds what waits in bytes as well', async () => {
    const { hub } = newHub();
    const slow = hub.read(as('olga'), { signal });
    const big = 'x'.repeat(200_000);
    for (let seq = 1; seq <= 50; seq += 1) hub.publish(eventOf('n1', seq, null, big));
    const [gap] = await rest(slow, 1);
    expect(gap?.value).toMatchObject({ kind: 'gap', dropped: expect.any(Number) });
  });

  it('begins behind the last event that a reader has seen, as far as it is still there', async () => {
    const { hub } = newHub();
    const first = hub.read(as('olga'), { signal });
    for (const seq of [1, 2, 3]) hub.publish(eventOf('n1', seq));
    const [, second] = await rest(first, 2);
    const again = hub.read(as('olga'), { signal, lastId: second?.id });
    expect((await rest(again, 1)).map(seqOf)).toEqual([3]);
    // Of an earlier life of the bridge: everything that is there.
    const later = hub.read(as('carla'), { signal, lastId: 'other-7' });
    hub.publish(eventOf('n2', 4));
    const [gap, fourth] = await rest(later, 2);
    expect(gap?.value).toEqual({ kind: 'gap', dropped: 0 });
    expect(fourth && seqOf(fourth)).toBe(4);
  });

  it('keeps what a node said, however much the nodes of others say meanwhile', async () => {
    const { hub } = newHub();
    const first = hub.read(as('olga'), { signal });
    hub.publish(eventOf('n1', 1));
    const [seen] = await rest(first, 1);
    hub.publish(eventOf('n1', 2));
    for (let seq = 1; seq <= 5000; seq += 1) hub.publish(eventOf('n2', seq));
    hub.publish(eventOf('n1', 3));
    const again = hub.read(as('olga'), { signal, lastId: seen?.id });
    expect((await rest(again, 2)).map(seqOf)).toEqual([2, 3]);
  });

  it('tells who was away for too long that there is a gap, and only those whom it concerns', async () => {
    const { hub } = newHub({ maxReaders: 9, maxReadersPerUser: 9 });
    const first = hub.read(as('root', 'administrator'), { signal });
    hub.publish(eventOf('n1', 1));
    const [seen] = await rest(first, 1);
    for (let seq = 2; seq <= 1501; seq += 1) hub.publish(eventOf('n1', seq));
    hub.publish(eventOf('n2', 7));
    const olga = hub.read(as('olga'), { signal, lastId: seen?.id });
    const [gap, next] = await rest(olga, 2);
    expect(gap?.value).toEqual({ kind: 'gap', dropped: 500 });
    expect(next && seqOf(next)).toBe(502);
    const carla = hub.read(as('carla'), { signal, lastId: seen?.id });
    expect((await rest(carla, 1)).map(seqOf)).toEqual([7]);
    const other = hub.read(as('root', 'administrator'), { signal, lastId: seen?.id, node: 'n2' });
    expect((await rest(other, 1)).map(seqOf)).toEqual([7]);
  });

  it('shows the events of a plugin to those who have a right to it, by any of its names', async () => {
    const { access, hub } = newHub();
    const report = { plugins: [{ name: 'jobs', aliases: ['psij'] }] } as never;
    const shareWith = (right: string, more: Partial<EventAccess> = {}) =>
      access.set('n1', { owner: 'olga', grants: [{ user: 'bob', rights: [right] }], report, ...more });
    const sees = (right: string, more?: Partial<EventAccess>, topic = 'state', plugin = 'jobs') => {
      shareWith(right, more);
      const value = eventOf('n1', 1);
      return hub.maySee(as('bob'), { ...value, event: { ...value.event, topic, plugin } });
    };
    expect(sees('jobs:read')).toBe(true);
    expect(sees('psij:*')).toBe(true);
    expect(sees('files:read')).toBe(false);
    expect(sees('*')).toBe(true);
    // An original edge says of no event whom it is for.
    const original = { kind: 'original' } as const;
    expect(sees('jobs:read', original)).toBe(false);
    expect(sees('jobs:*', original, 'job_status', 'psij')).toBe(true);
    expect(sees('sysinfo:*', original, 'job_status', 'psij')).toBe(false);
    // That something was lost concerns everyone.
    expect(sees('files:read', {}, 'gap', 'agent')).toBe(true);
    expect(sees('files:read', {}, 'info', 'agent')).toBe(false);
  });

  it('refuses more readers than it may have, in all and of one account; one that leaves makes room', () => {
    const { hub } = newHub();
    const leaving = new AbortController();
    hub.read(as('olga'), { signal: leaving.signal });
    hub.read(as('olga'), { signal });
    expect(() => hub.read(as('olga'), { signal })).toThrow(
      expect.objectContaining({ code: 'too-many-concurrent' }),
    );
    hub.read(as('bob'), { signal });
    expect(() => hub.read(as('eve'), { signal })).toThrow(
      expect.objectContaining({ code: 'too-many-concurrent' }),
    );
    leaving.abort();
    hub.read(as('eve'), { signal });
    expect(hub.readers).toBe(3);
    hub.close();
    expect(hub.readers).toBe(0);
  });
});
