import { Readable } from 'node:stream';
import type { AgentConfigDocument, AgentInfo } from '@gantry/contracts';
import { AppError, silentLogger } from '@gantry/kernel';
import type { EdgeNode } from '@gantry/store';
import type { TunnelRequest } from '@gantry/tunnel';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { NodeLink } from '../ports.js';
import { type AgentFeedDeps, AgentFeeds } from './agent-feed.js';
import type { Holder } from './node-registry.js';

/** An agent that keeps what it is told, and a store that another bridge writes to. */
function newAgent() {
  const told: { path: string; body: unknown; signedWith: string }[] = [];
  let revision: number | null = null;
  let settings: AgentConfigDocument | undefined;
  let report: AgentInfo | undefined;
  let [isDeaf, isReading] = [false, false];
  const key = { id: 1 };
  const info = (): AgentInfo => ({
    ...{ node: 'n1', version: '1', started_at: '', labels: {}, facts: {}, plugins: [] },
    config: { revision, refused: null },
    events: { epoch: 'e', last_seq: 0, acknowledged: 0, waiting: 0, dropped_total: 0 },
  });
  const answer = (value: unknown, status = 200) => ({
    status,
    headers: {},
    body: Readable.from([Buffer.from(JSON.stringify(value))]),
    trailers: Promise.resolve({}),
  });
  const request = async ({ body, headers, method, path }: TunnelRequest) => {
    if (path.startsWith('/agent/events')) {
      isReading = true;
      return { ...answer({}), body: new Readable({ read: () => undefined }) };
    }
    if (method !== 'PUT') return answer(info());
    const document = JSON.parse(String(body)) as AgentConfigDocument;
    told.push({ path, body: document, signedWith: String(headers?.['gantry-caller']) });
    if (path === '/agent/config') revision = document.revision;
    // It has done what it was told; nobody hears of it.
    if (isDeaf) throw new AppError('node-timeout');
    return answer(info());
  };
  const holder: Holder = {
    ...{ name: 'n1', instance: 'i', leaseEpoch: 1, connectedAtMs: 0, keyIds: [1] },
    link: { name: 'n1', kind: 'gantry', isOpen: true, request } as unknown as NodeLink,
  };
  const record = () => ({ name: 'n1', labels: {}, settings, report }) as unknown as EdgeNode;
  const feeds = new AgentFeeds({
    registry: {
      report: async (_holder: Holder, said: AgentInfo) => {
        report = said;
      },
    },
    records: { find: async () => record(), peek: record },
    labelSettings: { all: async () => new Map() },
    statements: { stateOf: () => `key ${holder.keyIds?.join()}` },
    keys: {
      get current() {
        return { id: key.id, publicKey: `public-${key.id}` };
      },
    },
    hub: { publish: () => undefined },
    logger: silentLogger,
  } as unknown as AgentFeedDeps);
  started.push(() => feeds.end(holder));
  return {
    ...{ feeds, holder, key, told },
    begin: async () => {
      feeds.begin(holder);
      while (!isReading) await new Promise((wake) => setTimeout(wake, 5));
    },
    setSettings: (next: AgentConfigDocument) => {
      settings = next;
    },
    setDeaf: (next: boolean) => {
      isDeaf = next;
    },
  };
}
const started: (() => void)[] = [];
afterEach(() => {
  for (const stop of started.splice(0)) stop();
});

describe('what a connected agent is told', () => {
  it('are its settings when another bridge changed them, and not again when it has them', async () => {
    const { begin, feeds, setSettings, told } = newAgent();
    await begin();
    await feeds.catchUp('n1');
    expect(told).toEqual([]);
    const settings = { revision: 3, disabled: ['files'], plugins: {} };
    setSettings(settings);
    await feeds.catchUp('n1');
    await feeds.catchUp('n1');
    expect(told).toMatchObject([{ path: '/agent/config', body: settings }]);
  });

  it('is a new key, by the word of the one that it knows, until it has said that it took it', async () => {
    const { begin, feeds, holder, key, setDeaf, told } = newAgent();
    await begin();
    key.id = 2;
    setDeaf(true);
    await feeds.teachAll();
    expect(holder.keyIds).toEqual([1]);
    setDeaf(false);
    await feeds.catchUp('n1');
    expect(holder.keyIds).toEqual([2]);
    await feeds.catchUp('n1');
    const lesson = { path: '/agent/keys', body: [{ id: 2, public_key: 'public-2' }], signedWith: 'key 1' };
    expect(told).toEqual([lesson, lesson]);
  });

  it('are keys one after the other, so that the last is the last on both sides', async () => {
    const { begin, feeds, holder, key, told } = newAgent();
    await begin();
    key.id = 2;
    const first = feeds.teachAll();
    key.id = 3;
    await Promise.all([first, feeds.teachAll()]);
    expect(holder.keyIds).toEqual([3]);
    expect(told.at(-1)).toMatchObject({ body: [{ id: 3 }] });
  });
});
