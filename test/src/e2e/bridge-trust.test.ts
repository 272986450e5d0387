/** Who may join as a node, who may reach one, and what a node learns of its callers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeCredential, NodeView } from '@gantry/contracts';
import { callerHeader } from '@gantry/contracts';
import { isSignedBy, toPublicKey } from '@gantry/kernel';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startBridge, type TestBridge } from '../support/bridge.js';
import { type FakeAgent, type FakeAgentOptions, startFakeAgent, statementOf } from '../support/fake-agent.js';
import { until } from '../support/processes.js';

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
