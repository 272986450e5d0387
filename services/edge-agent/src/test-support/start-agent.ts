import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError, Lifecycle, silentLogger } from '@gantry/kernel';
import { buildEdgeAgent, type EdgeAgent, type EdgeAgentOptions } from '../app.js';
import type { AgentPlugin, Caller, VerifyCaller } from '../core/ports.js';

export interface RunningAgent {
  readonly agent: EdgeAgent;
  readonly url: string;
  readonly dataDir: string;
  /** Calls as a user with these rights; everything unless given. */
  call(path: string, init?: CallInit): Promise<Response>;
  /** Stops it; the data stays when `keepData`. */
  stop(options?: { keepData?: boolean }): Promise<void>;
}

export interface CallInit extends RequestInit {
  readonly user?: string;
  readonly rights?: readonly string[];
  readonly json?: unknown;
  readonly duplex?: 'half';
}

export const bridgeRights = ['agent:bridge', 'agent:read'];

/** Who calls stands in a header, unsigned: the signature is the business of whoever composes the agent. */
const verifyTestCaller: VerifyCaller = async ({ headers }) => {
  const text = headers['test-caller'];
  if (typeof text !== 'string') throw new AppError('invalid-token', 'No caller');
  return JSON.parse(text) as Caller;
};

/** An agent behind a plain HTTP/1.1 server on a free loopback port. */
export async function startAgent(
  plugins: readonly AgentPlugin[],
  options: Partial<EdgeAgentOptions> = {},
): Promise<RunningAgent> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'gantry-agent-')));
  const agent = buildEdgeAgent({
    node: 'test-node',
    version: '0.0.0-test',
    labels: {},
    dataDir,
    plugins,
    verifyCaller: verifyTestCaller,
    logger: silentLogger,
    ...options,
  });
  const lifecycle = new Lifecycle();
  await lifecycle.start(agent.parts);
  const server = createServer((request, response) => agent.handler(request, response));
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    agent,
    url,
    dataDir,
    call: (path, init = {}) => callAgent(url + path, init),
    stop: async ({ keepData = false } = {}) => {
      await lifecycle.stop();
      await closeServer(server);
      if (!keepData) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Calls an agent that trusts {@link verifyTestCaller}. */
export function callAgent(
  url: string,
  { user = 'ada', rights = ['*'], json, ...init }: CallInit,
): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('test-caller', JSON.stringify({ user, rights, expiresAt: Date.now() + 86_400_000 }));
  const body = json === undefined ? init.body : JSON.stringify(json);
  if (json !== undefined) headers.set('content-type', 'application/json');
  const method = init.method ?? (json === undefined ? 'GET' : 'POST');
  return fetch(url, {
    ...init,
    method,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
  } as RequestInit);
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
