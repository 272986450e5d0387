import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface PeerRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
export interface PeerReply {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}
/** What the peer does with a request: answers, never answers, or breaks the connection. */
export type PeerAnswer = PeerReply | 'hang' | 'break';

/** An HTTP server on a free port that answers as the test says, and remembers what it was asked. */
export async function startPeer(answer: (request: PeerRequest) => PeerAnswer | Promise<PeerAnswer>) {
  const requests: PeerRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const body = Buffer.concat(await incoming.toArray()).toString();
    const url = new URL(incoming.url ?? '/', 'http://peer');
    const { method = '', headers } = incoming;
    const request = { method, path: url.pathname, query: url.searchParams, headers, body };
    requests.push(request);
    const reply = await answer(request);
    if (reply === 'hang') return;
    if (reply === 'break') {
      incoming.socket.destroy();
      return;
    }
    const text = reply.text ?? (reply.json === undefined ? undefined : JSON.stringify(reply.json));
    response.writeHead(reply.status, reply.headers).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    requests,
    /** What was asked, as "METHOD path". */
    calls: () => requests.map(({ method, path }) => `${method} ${path}`),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const problemReply = (
  status: number,
  code: string,
  more: Readonly<Record<string, unknown>> = {},
): PeerReply => ({
  status,
  json: {
    type: `/problems/${code}`,
    title: code,
    status,
    detail: `detail of ${code}`,
    code,
    request_id: 'r-1',
    ...more,
  },
});

/** A URL where nothing listens. */
export async function unusedUrl(): Promise<string> {
  const peer = await startPeer(() => 'hang');
  await peer.stop();
  return peer.url;
}
