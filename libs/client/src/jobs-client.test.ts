import { afterEach, describe, expect, it } from '@jest/globals';
import { type PeerAnswer, type PeerRequest, problemReply, startPeer } from './fake-peer.fixture.js';
import { GantryClient, repeatTransient } from './index.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function startJobs(answer: (request: PeerRequest) => PeerAnswer) {
  const peer = await startPeer(answer);
  stops.push(peer.stop);
  const client = new GantryClient({ cloudUrl: peer.url, credentials: { token: 't' } });
  return { peer, jobs: client.bridge(peer.url).node('n1').plugin('jobs') };
}
const piece = (text: string, next: number, isComplete: boolean): PeerAnswer => ({
  status: 200,
  text,
  headers: { 'output-offset': String(next), 'output-complete': String(isComplete) },
});
const away = problemReply(503, 'node-unreachable');

describe('the output of a job that is followed', () => {
  it('goes on where it was after its node was away, however often it was asked', async () => {
    const answers: PeerAnswer[] = [piece('ab', 2, false), away, 'break', away, piece('c', 3, true)];
    const { jobs, peer } = await startJobs(() => answers.shift() ?? away);
    const waited: string[] = [];
    const pieces: Uint8Array[] = [];
    for await (const bytes of jobs.output('j', { follow: true, onWait: ({ code }) => waited.push(code) }))
      pieces.push(bytes);
    expect(Buffer.concat(pieces).toString()).toBe('abc');
    expect(waited).toEqual(['node-unreachable', 'unreachable', 'node-unreachable']);
    expect(peer.requests.map(({ query }) => query.get('offset'))).toEqual(['0', '2', '2', '2', '2']);
  });

  it('ends with what failed when patience does, and at once when the job is not there', async () => {
    const { jobs } = await startJobs(({ path }) =>
      path.includes('gone') ? problemReply(404, 'job-not-found') : away,
    );
    const waits: number[] = [];
    const onWait = (_error: unknown, waitedMs: number) => void waits.push(waitedMs);
    const follow = async (id: string, patienceMs: number) => {
      for await (const _ of jobs.output(id, { follow: true, patienceMs, onWait })) throw new Error('no');
    };
    await expect(follow('j', 0)).rejects.toMatchObject({ code: 'node-unreachable' });
    expect(waits).toEqual([]);
    await expect(follow('j', 20)).rejects.toMatchObject({ code: 'node-unreachable' });
    expect(waits.length).toBeGreaterThan(0);
    await expect(follow('gone', 60_000)).rejects.toMatchObject({ code: 'job-not-found' });
  });

  it('ends with the reason of its signal while it waits', async () => {
    const { jobs } = await startJobs(() => away);
    const abort = new AbortController();
    const stop = new Error('enough');
    const follow = async () => {
      const onWait = () => abort.abort(stop);
      for await (const _ of jobs.output('j', { follow: true, signal: abort.signal, onWait }))
        throw new Error('no');
    };
    await expect(follow()).rejects.toBe(stop);
  });
});

describe('what may be done twice', () => {
  it('is tried again while it fails in passing, and a list page by page', async () => {
    const answers: PeerAnswer[] = [
      away,
      { status: 200, json: { path: '/a', entries: [], next: 'b' } },
      'break',
      { status: 200, json: { path: '/a', entries: [], next: null } },
    ];
    const { peer } = await startJobs(() => answers.shift() ?? away);
    const client = new GantryClient({ cloudUrl: peer.url, credentials: { token: 't' } });
    const files = client.bridge(peer.url).node('n1').plugin('files');
    expect(await files.list('/a', { isPatient: true }).toArray(10)).toEqual([]);
    expect(peer.requests.map(({ query }) => query.get('after'))).toEqual([null, null, 'b', 'b']);
  });

  it('is not when something else is wrong', async () => {
    let calls = 0;
    const work = async () => {
      calls += 1;
      throw new Error('the disk is gone');
    };
    await expect(repeatTransient(work)).rejects.toThrow('the disk is gone');
    expect(calls).toBe(1);
  });
});
