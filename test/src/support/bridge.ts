/** A bridge in this process, with tokens of its own for anybody, and agents as processes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bridge, createBridge } from '@gantry/bridge';
import type { NodeCredential, NodeEnrolment, NodeView, Role } from '@gantry/contracts';
import { agentProgram } from '@gantry/edge-agent/program';
import { Lifecycle, type Logger, silentLogger } from '@gantry/kernel';
import { openStore, type Store } from '@gantry/store';
import { createMetrics } from '@gantry/telemetry';
import { BiscuitIssuer, newSigningKey } from '@gantry/tokens';
import { type Running, startNode, until } from './processes.js';

export interface TestBridge {
  readonly bridge: Bridge;
  readonly url: string;
  readonly dataDir: string;
  readonly store: Store;
  tokenOf(user: string, role?: Role): Promise<string>;
  call(path: string, init?: CallInit): Promise<Response>;
  enrol(name: string, user?: string): Promise<string>;
  redeem(name: string, enrolmentToken: string): Promise<NodeCredential>;
  /** Enrols it, starts its process, and waits until it is connected. */
  startAgent(name: string, user?: string): Promise<Running & { readonly dataDir: string }>;
  readNode(name: string, user?: string): Promise<NodeView>;
  isConnected(name: string): boolean;
  stop(): Promise<void>;
  /** Its data are the next bridge's, with `dataDir`. */
  stopKeepingData(): Promise<void>;
}

export interface CallInit extends RequestInit {
  /** Who calls; an administrator unless given. None: without a token. */
  readonly user?: string | 'none';
  readonly json?: unknown;
  readonly duplex?: 'half';
}

export interface TestBridgeOptions {
  readonly dataDir?: string;
  readonly port?: number;
  readonly access?: 'token' | 'open';
  readonly logger?: Logger;
  readonly answerSeconds?: number;
  readonly host?: string;
  readonly publicUrl?: string;
  /** Another one, whose store is this one's as well; it is to be stopped later than this one. */
  readonly sharesStoreOf?: TestBridge;
}

const userKey = newSigningKey(1);

export async function startBridge(options: TestBridgeOptions = {}): Promise<TestBridge> {
  const {
    access = 'token',
    answerSeconds = 30,
    logger = silentLogger,
    port = 0,
    host = '127.0.0.1',
    publicUrl = '',
  } = options;
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'gantry-bridge-'));
  const store =
    options.sharesStoreOf?.store ?? (await openStore({ url: `file:${dataDir}/bridge.db`, logger }));
  const issuer = new BiscuitIssuer(() => [userKey]);
  const bridge = createBridge({
    config: {
      dataDir,
      bridge: {
        ...{ host, port, publicUrl, access, answerSeconds },
        ...{ enrolmentMinutes: 10, credentialDays: 30, maxNodesPerUser: 50, auditFileMiB: 1 },
        ...{ maxCallsInFlight: 1000, maxCallsPerUser: 256, maxEventReaders: 100 },
      },
    },
    store,
    cloud: {
      readKeys: async () => [{ id: userKey.id, publicKey: userKey.publicKey }],
      readRevoked: async () => [],
    },
    logger,
    metrics: createMetrics(),
    version: { service: 'bridge', version: '0.0.0-test' } as never,
  });
  const lifecycle = new Lifecycle();
  const ownStore = { name: 'store', stop: () => store.close() };
  await lifecycle.start([...(options.sharesStoreOf === undefined ? [ownStore] : []), ...bridge.parts]);
  const tokens = new Map<string, string>();
  const agents: (Running & { dataDir: string })[] = [];

  const tokenOf = async (user: string, role: Role = user === 'root' ? 'administrator' : 'user') => {
    const known = tokens.get(user);
    if (known !== undefined) return known;
    const principal = { user, org: undefined, role };
    const { token } = await issuer.issue(principal, { nowMs: Date.now(), lifetimeMs: 3_600_000 });
    tokens.set(user, token);
    return token;
  };
  const call = async (path: string, { json, user = 'root', ...init }: CallInit = {}) => {
    const headers = new Headers(init.headers);
    if (user !== 'none') headers.set('authorization', `Bearer ${await tokenOf(user)}`);
    if (json !== undefined) headers.set('content-type', 'application/json');
    return fetch(`${bridge.url}${path}`, {
      ...init,
      method: init.method ?? (json === undefined ? 'GET' : 'POST'),
      headers,
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    } as RequestInit);
  };
  const enrol = async (name: string, user = 'root') => {
    const answer = await call('/v1/nodes', { user, json: { name, replace: true } });
    if (answer.status !== 201) throw new Error(await answer.text());
    return ((await answer.json()) as NodeEnrolment).enrolment_token;
  };
  const readNode = async (name: string, user = 'root') =>
    (await (await call(`/v1/nodes/${name}`, { user })).json()) as NodeView;

  return {
    ...{ bridge, dataDir, store, tokenOf, call, enrol, readNode },
    isConnected: (name) => bridge.link.isConnected(name),
    url: bridge.url,
    redeem: async (name, enrolmentToken) => {
      const answer = await fetch(`${bridge.url}/v1/nodes/${name}/credential`, {
        method: 'POST',
        headers: { authorization: `Bearer ${enrolmentToken}` },
      });
      if (answer.status !== 201) throw new Error(await answer.text());
      return (await answer.json()) as NodeCredential;
    },
    startAgent: async (name, user = 'root') => {
      const agentDir = mkdtempSync(join(tmpdir(), 'gantry-agent-'));
      const tokenFile = join(agentDir, 'enrolment-token');
      writeFileSync(tokenFile, await enrol(name, user), { mode: 0o600 });
      const running = startNode(agentProgram, [], agentEnv(bridge.url, name, agentDir, tokenFile));
      agents.push({ ...running, dataDir: agentDir });
      await until(`the node ${name} to be connected`, () => bridge.link.isConnected(name), 30_000);
      return { ...running, dataDir: agentDir };
    },
    stopKeepingData: () => lifecycle.stop(),
    stop: async () => {
      for (const agent of agents) {
        await agent.stop();
        rmSync(agent.dataDir, { recursive: true, force: true });
      }
      await lifecycle.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export const agentEnv = (
  bridgeUrl: string,
  name: string,
  dataDir: string,
  enrolmentTokenFile: string,
): Record<string, string> => ({
  GANTRY_BRIDGE_URL: bridgeUrl,
  GANTRY_AGENT_NAME: name,
  GANTRY_AGENT_DATA_DIR: dataDir,
  GANTRY_NODE_ENROLMENT_TOKEN_FILE: enrolmentTokenFile,
});
