/** What dials the bridge like an agent and answers what a test wants; it keeps what it was asked. */
import { randomUUID } from 'node:crypto';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import {
  type CallerStatement,
  callerHeader,
  connectionHeader,
  instanceHeader,
  type NodeCredential,
} from '@gantry/contracts';
import { peekStatement } from '@gantry/kernel';
import { type Dialler, dialTunnel, type TunnelHandler } from '@gantry/tunnel';
import type { TestBridge } from './bridge.js';
import { until } from './processes.js';

export interface FakeAgent {
  readonly dialler: Dialler;
  /** Requests so far, without those that the bridge makes for itself. */
  readonly asked: Http2ServerRequest[];
  close(): Promise<void>;
}

export interface FakeAgentOptions {
  readonly credential: NodeCredential;
  readonly instance?: string;
  readonly handler?: TunnelHandler;
  readonly onConnect?: TunnelHandler;
  /** Has the credential for its first attempt only. */
  readonly dialsOnce?: boolean;
  /** Does not wait for the connection. */
  readonly isRefused?: boolean;
}

/** Says what it was asked, as JSON. */
export const echo: TunnelHandler = (request, response) => {
  const { headers, method, url } = request;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ method, url, headers }));
};

export async function startFakeAgent(bridge: TestBridge, options: FakeAgentOptions): Promise<FakeAgent> {
  const { credential, handler = echo, instance = randomUUID(), onConnect } = options;
  const asked: Http2ServerRequest[] = [];
  let attempts = 0;
  const proof = () => {
    attempts += 1;
    return options.dialsOnce === true && attempts > 1 ? 'spent' : credential.credential;
  };
  const dialler = dialTunnel({
    url: `${bridge.url.replace('http', 'ws')}/tunnel`,
    headers: (slot) => ({
      authorization: `Bearer ${proof()}`,
      [instanceHeader]: instance,
      [connectionHeader]: String(slot),
    }),
    handler: (request, response) => {
      if (request.url.startsWith('/agent/')) return refuse(response);
      asked.push(request);
      return handler(request, response);
    },
    ...(onConnect === undefined ? {} : { onConnect }),
  });
  if (options.isRefused !== true)
    await until(
      'the agent to be connected',
      () => dialler.isConnected && bridge.bridge.link.isConnected(credential.name),
    );
  return { dialler, asked, close: () => dialler.close({ graceMs: 100 }) };
}

function refuse(response: Http2ServerResponse): void {
  response.statusCode = 404;
  response.end();
}

/** What the bridge said of the caller. */
export const statementOf = ({ headers }: Pick<Http2ServerRequest, 'headers'>): CallerStatement =>
  peekStatement(String(headers[callerHeader])) as CallerStatement;
