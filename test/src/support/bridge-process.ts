/** A bridge as a process of its own that can be killed and started again; what stands in for the cloud frontend is here. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeCredential, NodeEnrolment, NodeView } from '@gantry/contracts';
import { agentProgram } from '@gantry/edge-agent/program';
import { BiscuitIssuer, newSigningKey } from '@gantry/tokens';
import { agentEnv } from './bridge.js';
import { freePort } from './distributed.js';
import { type Running, root, startNode, until } from './processes.js';

const program = join(root, 'services', 'bridge', 'dist', 'main.js');
const userKey = newSigningKey(1);

export interface BridgeProcess {
  readonly url: string;
  readonly dataDir: string;
  /** Of the process that runs now. */
  readonly pid: number;
  start(): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<number | string>;
  output(): string;
  tokenOf(user: string): Promise<string>;
  call(path: string, init?: RequestInit & { user?: string; duplex?: 'half' }): Promise<Response>;
  enrol(name: string): Promise<string>;
  join(name: string): Promise<NodeCredential>;
  readNode(name: string): Promise<NodeView>;
  isConnected(name: string): Promise<boolean>;
  /** Enrols it, starts its process, and waits until it is connected. Ends with {@link stop}. */
  startAgent(name: string): Promise<Running>;
  stop(): Promise<void>;
}

/** What a cloud frontend says of its keys. */
export async function startKeyServer(): Promise<{ url: string; server: Server }> {
  const view = {
    id: userKey.id,
    public_key: userKey.publicKey,
    created_at: new Date(0).toISOString(),
    is_current: true,
  };
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.url === '/v1/public_keys' ? [view] : { revocation_ids: [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** @param options `storeUrl` of another bridge's, to share it */
export async function startBridgeProcess(
  options: { env?: Readonly<Record<string, string>>; storeUrl?: string } = {},
): Promise<BridgeProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'gantry-bridge-process-'));
  const cloud = await startKeyServer();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const issuer = new BiscuitIssuer(() => [userKey]);
  const tokens = new Map<string, string>();
  let running: Running | undefined;

  const start = async () => {
    running = startNode(program, [], {
      GANTRY_BRIDGE_PORT: String(port),
      GANTRY_DATA_DIR: dataDir,
      GANTRY_CLOUD_URL: cloud.url,
      GANTRY_LOG_LEVEL: 'warn',
      ...(options.storeUrl === undefined ? {} : { GANTRY_STORE_URL: options.storeUrl }),
      ...options.env,
    });
    const { ended, output } = running;
    let end: number | string | undefined;
    void ended.then((code) => {
      end = code;
    });
    await until('the bridge to be ready', async () => {
      if (end !== undefined) throw new Error(`the bridge ended with ${end}: ${output()}`);
      return (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200;
    });
  };
  const tokenOf = async (user: string) => {
    const known = tokens.get(user);
    if (known !== undefined) return known;
    const role = user === 'root' ? ('administrator' as const) : ('user' as const);
    const principal = { user, org: undefined, role };
    const { token } = await issuer.issue(principal, { nowMs: Date.now(), lifetimeMs: 3_600_000 });
    tokens.set(user, token);
    return token;
  };
  const call: BridgeProcess['call'] = async (path, { user = 'root', ...init } = {}) => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${await tokenOf(user)}`);
    return fetch(`${url}${path}`, { ...init, headers });
  };
  const enrol = async (name: string) => {
    const body = JSON.stringify({ name, replace: true });
    const headers = { 'content-type': 'application/json' };
    const answer = await call('/v1/nodes', { method: 'POST', headers, body });
    if (answer.status !== 201) throw new Error(await answer.text());
    return ((await answer.json()) as NodeEnrolment).enrolment_token;
  };
  const readNode = async (name: string) => (await (await call(`/v1/nodes/${name}`)).json()) as NodeView;

  // To this process: for a minute, the store says of a bridge that was killed that it has its nodes.
  const isConnected = async (name: string) => (await readNode(name)).connections > 0;
  const agents: { readonly running: Running; readonly agentDir: string }[] = [];

  await start();
  return {
    ...{ url, dataDir, start, tokenOf, call, enrol, readNode, isConnected },
    get pid() {
      return running?.pid ?? -1;
    },
    kill: async (signal = 'SIGKILL') => (await running?.stop(signal)) ?? 0,
    output: () => running?.output() ?? '',
    join: async (name) => {
      const headers = { authorization: `Bearer ${await enrol(name)}` };
      const answer = await fetch(`${url}/v1/nodes/${name}/credential`, { method: 'POST', headers });
      if (answer.status !== 201) throw new Error(await answer.text());
      return (await answer.json()) as NodeCredential;
    },
    startAgent: async (name) => {
      const agentDir = mkdtempSync(join(tmpdir(), 'gantry-agent-'));
      const tokenFile = join(agentDir, 'token');
      writeFileSync(tokenFile, await enrol(name), { mode: 0o600 });
      const agent = startNode(agentProgram, [], agentEnv(url, name, agentDir, tokenFile));
      agents.push({ running: agent, agentDir });
      await until(`the node ${name} to be connected`, () => isConnected(name), 60_000);
      return agent;
    },
    stop: async () => {
      for (const one of agents) {
        await one.running.stop('SIGKILL');
        rmSync(one.agentDir, { recursive: true, force: true });
      }
      await running?.stop('SIGKILL');
      cloud.server.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
