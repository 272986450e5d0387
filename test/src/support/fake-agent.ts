/** What dials the bridge like an agent and answers what a test wants; it keeps what it was asked. */
import { randomUUID } from 'node:crypto';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import {
  type CallerStatement,
  callerHeader,
  connectionHeader,
  instanceHeader,
  knownKeysHeader,
  type NodeCredential,
} from '@gantry/contracts';
import { peekStatement } from '@gantry/kernel';
import { type Dialler, dialTunnel, type TunnelHandler } from '@gantry/tunnel';
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
  /** Keys of the bridge that it says it knows; none: it does not say. */
  readonly keyIds?: readonly number[];
  readonly handler?: TunnelHandler;
  /** Takes what the bridge asks for itself; refused unless given. */
  readonly onBridgeCall?: TunnelHandler;
  readonly onConnect?: TunnelHandler;
  readonly connections?: number;
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

/** What both a bridge in this process and one of its own have. */
export interface AgentsBridge {
  readonly url: string;
  readonly isConnected: (name: string) => boolean | Promise<boolean>;
}

export async function startFakeAgent(bridge: AgentsBridge, options: FakeAgentOptions): Promise<FakeAgent> {
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
      ...(options.keyIds === undefined ? {} : { [knownKeysHeader]: options.keyIds.join(',') }),
    }),
    handler: (request, response) => {
      if (request.url.startsWith('/agent/'))
        return options.onBridgeCall === undefined
          ? refuse(response)
          : options.onBridgeCall(request, response);
      asked.push(request);
      return handler(request, response);
    },
    ...(onConnect === undefined ? {} : { onConnect }),
    ...(options.connections === undefined ? {} : { connections: options.connections }),
  });
  if (options.isRefused !== true)
    await until(
      'the agent to be connected',
      async () => dialler.isConnected && (await bridge.isConnected(credential.name)),
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
