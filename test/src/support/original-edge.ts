/** An edge service that speaks the frames of RADICAL Edge, with what a test wants of it. */
import { decode, encode } from '@msgpack/msgpack';
import { WebSocket } from 'ws';
import { until } from './processes.js';

export interface RequestFrame {
  readonly type: 'request';
  readonly req_id: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly is_binary: boolean;
  readonly body: string | Uint8Array | null;
}

export interface OriginalEdge {
  readonly socket: WebSocket;
  /** Every frame that came, decoded. */
  readonly frames: { readonly type: string; readonly message?: string; readonly edges?: object }[];
  readonly requests: RequestFrame[];
  readonly closed: Promise<number>;
  send(frame: object): void;
  sendPacked(frame: object): void;
  close(): void;
}

export interface OriginalEdgeOptions {
  readonly name: string;
  readonly plugins?: Readonly<Record<string, object>>;
  /** Answers a request: the fields of its response frame, or nothing to leave it open. */
  readonly answer?: (request: RequestFrame) => object | undefined;
}

const sysinfo = {
  type: 'sysinfo',
  namespace: '/sysinfo',
  version: '0.2.0',
  enabled: true,
  ui_config: { icon: 'x' },
};

/** @param url `ws://…/t/<token>`; `/register` is appended, as the original does. Resolves when it is open. */
export async function startOriginalEdge(url: string, options: OriginalEdgeOptions): Promise<OriginalEdge> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/register`);
  const frames: OriginalEdge['frames'] = [];
  const requests: RequestFrame[] = [];
  const send = (frame: object) => socket.send(JSON.stringify(frame));
  socket.on('message', (data, isBinary) => {
    const bytes = data as Buffer;
    const frame = (isBinary ? decode(bytes) : JSON.parse(bytes.toString())) as RequestFrame;
    frames.push(frame);
    if (frame.type !== 'request') return;
    requests.push(frame);
    const answer = (options.answer ?? echoAnswer)(frame);
    if (answer !== undefined) send({ type: 'response', req_id: frame.req_id, ...answer });
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response) =>
      reject(new Error(`refused with ${response.statusCode}`)),
    );
  });
  socket.on('error', () => undefined);
  const { name, plugins = { sysinfo } } = options;
  send({ type: 'register', edge_name: name, endpoint: { type: 'radical.edge' }, plugins });
  return {
    ...{ socket, frames, requests, closed, send },
    sendPacked: (frame) => socket.send(encode(frame)),
    close: () => socket.terminate(),
  };
}

export const echoAnswer = ({ headers, method, path }: RequestFrame) => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: { method, path, headers },
  is_binary: false,
});

/** The word that it is in. */
export const registered = (edge: OriginalEdge) =>
  until('the edge to be registered', () => edge.frames.find(({ type }) => type === 'topology'));
