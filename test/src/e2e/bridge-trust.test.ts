/** Who may join as a node, who may reach one, and what a node learns of its callers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeCredential, NodeView } from '@gantry/contracts';
import { callerHeader, enrolmentNonceHeader } from '@gantry/contracts';
import { agentProgram } from '@gantry/edge-agent/program';
import { isSignedBy, toPublicKey } from '@gantry/kernel';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { agentEnv, startBridge, type TestBridge } from '../support/bridge.js';
import { type FakeAgent, type FakeAgentOptions, startFakeAgent, statementOf } from '../support/fake-agent.js';
import { startNode, until } from '../support/processes.js';

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await startBridge();
});
afterAll(() => bridge.stop());

const agents: FakeAgent[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close();
});
async function agentOf(
  credential: NodeCredential,
  options: Partial<FakeAgentOptions> = {},
): Promise<FakeAgent> {
  const agent = await startFakeAgent(bridge, { credential, ...options });
  agents.push(agent);
  return agent;
}
const credentialOf = async (name: string, user = 'olga') =>
  bridge.redeem(name, await bridge.enrol(name, user));
const problemOf = async (answer: Promise<Response>) =>
  (await (await answer).json()) as { status: number; code: string };

describe('joining', () => {
  it('an enrolment token works once, for its own name only', async () => {
    const token = await bridge.enrol('once');
    await expect(bridge.redeem('other', token)).rejects.toThrow('invalid-service-credential');
    expect(await bridge.redeem('once', token)).toMatchObject({ name: 'once' });
    await expect(bridge.redeem('once', token)).rejects.toThrow('invalid-service-credential');
  });

  it('an agent that did not get the answer asks again, and nobody else does so with success', async () => {
    const token = await bridge.enrol('lost-answer', 'olga');
    const redeem = (nonce: string) =>
      bridge.call('/v1/nodes/lost-answer/credential', {
        ...{ user: 'none', method: 'POST' },
        headers: { authorization: `Bearer ${token}`, [enrolmentNonceHeader]: nonce },
      });
    const first = await redeem('n'.repeat(22));
    expect(first.status).toBe(201);
    const again = await redeem('n'.repeat(22));
    expect([again.status, await again.json()]).toEqual([201, await first.json()]);
    expect((await redeem('o'.repeat(22))).status).toBe(401);
  });

  it('a name is taken in capitals too', async () => {
    await bridge.enrol('capital', 'olga');
    const answer = await problemOf(bridge.call('/v1/nodes', { user: 'bob', json: { name: 'Capital' } }));
    expect(answer).toMatchObject({ status: 409, code: 'node-exists' });
  });

  it('a name that is taken is given to nobody else, and to its owner only when that is meant', async () => {
    await credentialOf('taken', 'olga');
    const enrol = (user: string, replace: boolean) =>
      problemOf(bridge.call('/v1/nodes', { user, json: { name: 'taken', replace } }));
    expect(await enrol('eve', true)).toMatchObject({ status: 409, code: 'node-exists' });
    expect(await enrol('olga', false)).toMatchObject({ status: 409, code: 'node-exists' });
    expect(await enrol('olga', true)).toMatchObject({ name: 'taken' });
  });

  it.each(['v1', 'register', 'Edge', 'a/b', '-x', ''])('refuses the name "%s"', async (name) => {
    expect(await problemOf(bridge.call('/v1/nodes', { json: { name } }))).toMatchObject({ status: 422 });
  });

  it.each([
    [
      'a token of a person',
      async () => ({ ...(await credentialOf('fake')), credential: await bridge.tokenOf('root') }),
    ],
    ['rubbish', async () => ({ ...(await credentialOf('fake')), credential: 'rubbish' })],
    [
      'a credential that was replaced',
      async () => {
        const old = await credentialOf('fake');
        await credentialOf('fake');
        return old;
      },
    ],
  ])('does not take %s for the credential of a node', async (_what, make) => {
    const agent = await agentOf(await make(), { isRefused: true });
    await until('the refusal', () => agent.dialler.states.some(({ kind }) => kind === 'waiting'));
    expect(bridge.bridge.link.isConnected('fake')).toBe(false);
  });

  it('a credential of a node is no token of a person', async () => {
    const { credential } = await credentialOf('sneaky');
    const answer = await fetch(`${bridge.url}/v1/nodes`, { headers: { token: credential } });
    expect(answer.status).toBe(401);
  });

  it('another process with the credential takes the name over, and the first one is fenced', async () => {
    const credential = await credentialOf('twice');
    let isFirstAsked: () => void = () => undefined;
    const firstAsked = new Promise<void>((resolve) => {
      isFirstAsked = resolve;
    });
    await agentOf(credential, { handler: () => isFirstAsked(), dialsOnce: true });
    const before = await bridge.readNode('twice');
    const open = bridge.call('/v1/nodes/twice/sysinfo/slow');
    await firstAsked;
    const second = await agentOf(credential, {
      handler: (_request, response) => {
        response.end('second');
      },
    });
    expect((await open).status).toBe(502);
    await until('the second to hold the name', async () => {
      return (await bridge.readNode('twice')).lease_epoch > before.lease_epoch;
    });
    const after = await bridge.readNode('twice');
    expect(after.lease_epoch).toBeGreaterThan(before.lease_epoch);
    expect(await (await bridge.call('/v1/nodes/twice/sysinfo/x')).text()).toBe('second');
    expect(second.asked).toHaveLength(1);
  });
});

describe('revocation', () => {
  it('ends the tunnel and what goes on in it at once, and for good', async () => {
    const credential = await credentialOf('gone');
    let isAsked: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    const agent = await agentOf(credential, { handler: () => isAsked() });
    const open = bridge.call('/v1/nodes/gone/sysinfo/slow', { user: 'olga' });
    await asked;
    const revoked = await bridge.call('/v1/nodes/gone/revoke', { user: 'olga', method: 'POST' });
    expect(await revoked.json()).toMatchObject({ state: 'revoked' });
    expect(await problemOf(Promise.resolve(await open))).toMatchObject({ status: 502, code: 'node-lost' });
    await until('a refused attempt', () => agent.dialler.states.some(({ kind }) => kind === 'waiting'));
    expect(await problemOf(bridge.call('/v1/nodes/gone/sysinfo/x'))).toMatchObject({
      code: 'node-unreachable',
    });
  });

  it('is for the owner and administrators', async () => {
    await credentialOf('kept');
    await bridge.call('/v1/nodes/kept/grants', {
      user: 'olga',
      method: 'PUT',
      json: [{ user: 'bob', rights: ['*'] }],
    });
    const revoke = (user: string) =>
      problemOf(bridge.call('/v1/nodes/kept/revoke', { user, method: 'POST' }));
    expect(await revoke('bob')).toMatchObject({ status: 403 });
    expect(await revoke('eve')).toMatchObject({ status: 404, code: 'node-not-found' });
    expect(await revoke('root')).toMatchObject({ state: 'revoked' });
  });

  it('a removed node is gone, and its name is free', async () => {
    await agentOf(await credentialOf('removed'));
    expect((await bridge.call('/v1/nodes/removed', { user: 'olga', method: 'DELETE' })).status).toBe(204);
    expect(bridge.bridge.link.isConnected('removed')).toBe(false);
    expect((await bridge.call('/v1/nodes/removed')).status).toBe(404);
    expect(await credentialOf('removed', 'bob')).toMatchObject({ name: 'removed' });
  });
});

describe('another key of the bridge', () => {
  it('is for administrators to make, and no call fails while agents learn it', async () => {
    const agent = await bridge.startAgent('rotated', 'olga');
    const stubborn = await agentOf(await credentialOf('stubborn'), { keyIds: [1] });
    const kept = () =>
      (JSON.parse(readFileSync(join(agent.dataDir, 'credential.json'), 'utf8')) as NodeCredential)
        .bridge_keys;
    const [{ id: oldId = 0 } = {}] = kept();
    const rotate = (user: string) => bridge.call('/v1/bridge/keys', { user, method: 'POST' });
    expect((await rotate('olga')).status).toBe(403);
    const statuses: number[] = [];
    let isOver = false;
    const calls = (async () => {
      while (!isOver)
        statuses.push((await bridge.call('/v1/nodes/rotated/sysinfo/homedir', { user: 'olga' })).status);
    })();
    const made = await rotate('root');
    expect(made.status).toBe(201);
    const { id } = (await made.json()) as { id: number };
    expect(id).toBe(oldId + 1);
    await until('the agent to keep the new key', () => kept().some((key) => key.id === id));
    await until('some more calls', () => statuses.length > 20);
    isOver = true;
    await calls;
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(kept().map((key) => key.id)).toEqual([id]);
    const listed = await bridge.call('/v1/bridge/keys');
    expect(await listed.json()).toMatchObject([
      { id: oldId, is_current: false },
      { id, is_current: true },
    ]);

    // An agent that did not take it is spoken to with the key that it knows.
    expect((await bridge.call('/v1/nodes/stubborn/sysinfo/x')).status).toBe(200);
    expect(statementOf(stubborn.asked.at(-1) ?? { headers: {} })).toMatchObject({ kid: oldId });

    // A new process has the credential that the old key signed, and knows the new one.
    await agent.stop('SIGKILL');
    await until('the node to be gone', () => !bridge.bridge.link.isConnected('rotated'));
    const again = startNode(agentProgram, [], agentEnv(bridge.url, 'rotated', agent.dataDir, ''));
    try {
      await until('the node to be back', () => bridge.bridge.link.isConnected('rotated'));
      expect((await bridge.call('/v1/nodes/rotated/sysinfo/homedir', { user: 'olga' })).status).toBe(200);
    } finally {
      await again.stop();
    }
    // Who enrols from now on has nothing to do with the old one.
    expect((await credentialOf('young')).bridge_keys).toMatchObject([{ id }]);
  });
});

describe('reaching a node', () => {
  let agent: FakeAgent;
  let credential: NodeCredential;
  beforeAll(async () => {
    credential = await credentialOf('shared');
  });
  const connect = async (options: Partial<FakeAgentOptions> = {}) => {
    agent = await agentOf(credential, options);
  };

  it('is for its owner, whom it is shared with, and administrators; for others it is not there', async () => {
    await connect();
    const get = async (user: string) => (await bridge.call('/v1/nodes/shared/sysinfo/x', { user })).status;
    expect(await Promise.all(['olga', 'root', 'bob', 'none'].map(get))).toEqual([200, 200, 404, 400]);
    const seen = (await (await bridge.call('/v1/nodes', { user: 'bob' })).json()) as { items: NodeView[] };
    expect(seen.items.map(({ name }) => name)).not.toContain('shared');
    const grants = [{ user: 'bob', rights: ['jobs:submit', 'files:*'] }];
    const shared = await bridge.call('/v1/nodes/shared/grants', {
      user: 'olga',
      method: 'PUT',
      json: grants,
    });
    expect(await shared.json()).toMatchObject({ grants });
    expect(await get('bob')).toBe(200);
    expect(statementOf(agent.asked.at(-1) ?? { headers: {} })).toMatchObject({
      node: 'shared',
      user: 'bob',
      rights: ['jobs:submit', 'files:*'],
    });
    const view = (await (await bridge.call('/v1/nodes/shared', { user: 'bob' })).json()) as NodeView;
    expect(view).toMatchObject({ rights: ['jobs:submit', 'files:*'], grants: null });
    await bridge.call('/v1/nodes/shared/grants', { user: 'olga', method: 'PUT', json: [] });
    expect(await get('bob')).toBe(404);
  });

  it('rights to the agent itself cannot be given away', async () => {
    const grants = [{ user: 'bob', rights: ['agent:bridge'] }];
    const answer = await bridge.call('/v1/nodes/shared/grants', {
      user: 'olga',
      method: 'PUT',
      json: grants,
    });
    expect(answer.status).toBe(422);
  });

  it('shows the node a short-lived statement of who calls, signed by a key it knows, and no credential', async () => {
    await connect();
    const secret = await bridge.tokenOf('olga');
    await bridge.call('/v1/nodes/shared/sysinfo/x?a=1&a=2', {
      user: 'olga',
      headers: {
        cookie: 'session=1',
        token: secret,
        referer: `http://bridge/t/${secret}/x`,
        [callerHeader]: 'forged',
        'x-custom': 'kept',
      },
    });
    const [request] = agent.asked;
    const statement = String(request?.headers[callerHeader]);
    const { exp, ...said } = statementOf(request ?? { headers: {} });
    expect(said).toMatchObject({ user: 'olga', node: 'shared', rights: ['*', 'agent:read'] });
    expect(exp).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(isSignedBy(statement, toPublicKey(credential.bridge_keys[0]?.public_key ?? ''))).toBe(true);
    expect(JSON.stringify(request?.headers)).not.toContain(secret);
    expect(request?.headers).not.toHaveProperty('cookie');
    expect(request?.headers['x-custom']).toBe('kept');
    expect(request?.url).toBe('/sysinfo/x?a=1&a=2');
  });

  it('passes no cookie, no policy and no other origin on from the node', async () => {
    await connect({
      handler: (_request, response) => {
        response.writeHead(200, {
          'content-type': 'text/html',
          'set-cookie': 'a=b',
          'strict-transport-security': 'max-age=1',
          'access-control-allow-origin': '*',
        });
        response.end('<script>alert(1)</script>');
      },
    });
    const { headers } = await bridge.call('/v1/nodes/shared/sysinfo/page');
    expect(headers.get('content-security-policy')).toContain('sandbox');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    for (const name of ['set-cookie', 'strict-transport-security', 'access-control-allow-origin'])
      expect(headers.get(name)).toBeNull();
  });

  it('writes every request that may change something into the audit log', async () => {
    await connect();
    await bridge.call('/v1/nodes/shared/jobs/jobs?secret=1', { user: 'olga', json: { a: 1 } });
    await bridge.call('/v1/nodes/shared/jobs/jobs', { user: 'eve', json: { a: 1 } });
    await bridge.call('/v1/nodes/shared/jobs/only-read', { user: 'olga' });
    const lines = await until('the lines', () => {
      const text = readFileSync(join(bridge.dataDir, 'audit', 'audit.jsonl'), 'utf8');
      const entries = text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const calls = entries.filter(({ action, node }) => action === 'node.call' && node === 'shared');
      return calls.length >= 2 && { text, calls };
    });
    const byUser = new Map(lines.calls.map((one) => [one['user'], one]));
    expect(byUser.get('olga')).toMatchObject({
      method: 'POST',
      path: '/jobs/jobs',
      status: 200,
      outcome: 'done',
    });
    expect(byUser.get('eve')).toMatchObject({
      path: '/jobs/jobs',
      code: 'node-not-found',
      outcome: 'refused',
    });
    expect(lines.text).not.toContain('secret=1');
    expect(lines.text).not.toContain('only-read');
    expect(lines.text).toContain('"action":"node.revoke"');
  });
});

/** Events as somebody gets them, as text. */
async function eventsOf(user: string) {
  const abort = new AbortController();
  const answer = await bridge.call('/v1/events', { user, signal: abort.signal });
  let text = '';
  const ended = (async () => {
    for await (const chunk of answer.body ?? []) text += Buffer.from(chunk as Uint8Array).toString();
  })().catch(() => undefined);
  await until('the stream to begin', () => text !== '');
  return {
    text: () => text,
    stop: async () => {
      abort.abort();
      await ended;
    },
  };
}

const auditLines = () =>
  readFileSync(join(bridge.dataDir, 'audit', 'audit.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('a node that means harm', () => {
  const info = {
    ...{ node: 'x', version: '1', started_at: '', labels: {}, plugins: [] },
    facts: { x: { y: 'z'.repeat(500_000) } },
    config: { revision: null, refused: null },
    events: { epoch: 'e', last_seq: 0, acknowledged: 0, waiting: 0, dropped_total: 0 },
  };

  it('has its endless answer to the bridge cut off', async () => {
    let written = 0;
    let isCutOff = false;
    await agentOf(await credentialOf('endless'), {
      onBridgeCall: (_request, response) => {
        const chunk = Buffer.alloc(64 * 1024, 'x');
        response.stream.once('close', () => {
          isCutOff = true;
        });
        const write = (): void => {
          while (!response.stream.destroyed && written < 200_000_000) {
            written += chunk.length;
            if (!response.write(chunk)) return void response.once('drain', write);
          }
        };
        write();
      },
    });
    await until('the bridge to read no more', () => isCutOff);
    expect(written).toBeLessThan(100_000_000);
    expect((await bridge.call('/v1/nodes/endless/sysinfo/x')).status).toBe(200);
  });

  it('cannot make the lists of others large by what it says of itself', async () => {
    await agentOf(await credentialOf('boastful'), {
      onBridgeCall: (request, response) => {
        if (request.url === '/agent/info') return void response.end(JSON.stringify(info));
        response.statusCode = 404;
        response.end();
      },
    });
    const node = await until('the report', async () => {
      const view = await bridge.readNode('boastful');
      return view.version === '1' && view;
    });
    expect(node.facts).toEqual({});
    const list = await (await bridge.call('/v1/nodes', { user: 'olga' })).text();
    expect(list.length).toBeLessThan(50_000);
    const { items } = JSON.parse(list) as { items: NodeView[] };
    expect(items.find(({ name }) => name === 'boastful')).toMatchObject({ facts: null });
  });
});

describe('what is open when a right ends', () => {
  it('ends with the grant, and not for others', async () => {
    await agentOf(await credentialOf('streaming'), {
      handler: (_request, response) => void response.write('begin'),
    });
    const share = (json: unknown) =>
      bridge.call('/v1/nodes/streaming/grants', { user: 'olga', method: 'PUT', json });
    await share([{ user: 'bob', rights: ['sysinfo:read'] }]);
    const open = async (user: string) => {
      const abort = new AbortController();
      const answer = await bridge.call('/v1/nodes/streaming/sysinfo/x', { user, signal: abort.signal });
      let state = 'open';
      const ended = answer.text().then(
        () => {
          state = 'complete';
        },
        () => {
          state = 'ended';
        },
      );
      return { state: () => state, abort, ended };
    };
    const [ofBob, ofOlga] = [await open('bob'), await open('olga')];
    await share([]);
    await ofBob.ended;
    expect([ofBob.state(), ofOlga.state()]).toEqual(['ended', 'open']);
    ofOlga.abort.abort();
    await ofOlga.ended;
  });

  it('tells those who could see the node that it was revoked', async () => {
    await agentOf(await credentialOf('leaving'));
    const events = await eventsOf('olga');
    await bridge.call('/v1/nodes/leaving/revoke', { user: 'olga', method: 'POST' });
    await until('the event', () => events.text().includes('"disconnected"'));
    expect(events.text()).toContain('"node":"leaving"');
    await events.stop();
  });
});

describe('the audit log', () => {
  it('says what was changed, by whom, from where and in which request, and what was refused', async () => {
    await credentialOf('audited');
    const call = (user: string, path: string, init: object) =>
      bridge.call(path, { user, headers: { 'x-request-id': `audit-${user}` }, ...init });
    const grants = [{ user: 'bob', rights: ['jobs:read', 'jobs:submit'] }];
    await call('olga', '/v1/nodes/audited/grants', { method: 'PUT', json: grants });
    const settings = { plugins: { jobs: { maxRunning: 7 } }, disabled: ['files'] };
    await call('olga', '/v1/nodes/audited/settings', { method: 'PUT', json: settings });
    await call('carl', '/v1/nodes', { json: { name: 'audited' } });
    await call('carl', '/v1/nodes', { json: { name: 'AUDITED' } });
    await call('carl', '/v1/nodes/no-such-node/revoke', { method: 'POST' });
    await call('carl', '/edge/disconnect/audited', { method: 'POST' });
    const lines = await until('the lines', () => {
      const own = auditLines().filter(({ requestId }) => String(requestId).startsWith('audit-'));
      return own.length >= 6 && own;
    });
    const origin = { address: '127.0.0.1', requestId: 'audit-olga', user: 'olga', outcome: 'done' };
    const refused = { address: '127.0.0.1', requestId: 'audit-carl', user: 'carl', outcome: 'refused' };
    expect(lines).toMatchObject([
      { ...origin, action: 'node.grant', node: 'audited', detail: 'bob=jobs:read,jobs:submit' },
      { ...origin, action: 'node.settings', node: 'audited', detail: 'jobs.maxRunning -files' },
      { ...refused, action: 'node.enrol', node: 'audited', code: 'node-exists' },
      { ...refused, action: 'node.enrol', node: 'AUDITED', code: 'node-exists' },
      { ...refused, action: 'node.revoke', node: 'no-such-node', code: 'node-not-found' },
      { ...refused, action: 'node.disconnect', node: 'audited', code: 'forbidden' },
    ]);
  });

  it('is not filled by calls to nodes that are not there, nor by tokens that are none', async () => {
    const before = auditLines().length;
    const long = 'x'.repeat(8000);
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        await bridge.call(`/v1/nodes/none-${index}/jobs/${long}`, { user: 'mallory', method: 'POST' });
        await bridge.redeem(`none-${index}`, 'rubbish').catch(() => undefined);
      }),
    );
    await bridge.call('/v1/nodes/audited/sysinfo/last', { user: 'olga', method: 'POST' });
    const lines = await until('the last line', () => {
      const all = auditLines().slice(before);
      return all.some(({ path }) => path === '/sysinfo/last') && all;
    });
    const probes = lines.filter(({ user }) => user === 'mallory' || String(user).startsWith('node:none-'));
    expect(probes.length).toBeGreaterThanOrEqual(1);
    expect(probes.length).toBeLessThanOrEqual(4);
    expect(JSON.stringify(probes).length).toBeLessThan(3000);
  });

  it('has a call that takes long before it ends', async () => {
    await agentOf(await credentialOf('slow'), { handler: () => undefined });
    const abort = new AbortController();
    const call = bridge.call('/v1/nodes/slow/work/long', { method: 'POST', signal: abort.signal });
    const ofCall = () => auditLines().filter(({ path }) => path === '/work/long');
    await until('the line of its beginning', () => ofCall().length === 1);
    expect(ofCall()).toMatchObject([{ outcome: 'begun', node: 'slow', address: '127.0.0.1' }]);
    abort.abort();
    await expect(call).rejects.toThrow();
    await until('the line of its end', () => ofCall().length === 2);
    expect(ofCall()[1]).toMatchObject({ outcome: 'failed', address: '127.0.0.1' });
  });
});
