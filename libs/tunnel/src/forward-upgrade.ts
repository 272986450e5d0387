/**
 * WebSocket passthrough at the bridge: an HTTP/1.1 upgrade in, extended CONNECT through the tunnel. Each end does its
 * own half of the handshake (RFC 8441, section 5); the frames between pass untouched, masks and compression included.
 */
import { createHash } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { type Duplex, pipeline } from 'node:stream';
import { AppError } from '@gantry/kernel';
import type { ForwardOptions, ForwardOutcome } from './forward-http.js';
import { toRequestHeaders } from './header-rules.js';
import type { TunnelTarget } from './tunnel-group.js';
import type { AnswerHeaders, TunnelAnswer } from './types.js';

/** RFC 6455, section 1.3. */
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const acceptOf = (key: string) => createHash('sha1').update(`${key}${acceptGuid}`).digest('base64');

/**
 * Connects the caller's socket with the node and resolves when either has ended. What the node answers instead of
 * accepting is passed on.
 * @throws malformed-request for an upgrade that is none, and as {@link Tunnel.connect}; nothing was written then
 */
export async function forwardUpgrade(
  target: TunnelTarget,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: Omit<ForwardOptions, 'bulk'>,
): Promise<ForwardOutcome> {
  const key = keyOf(request);
  const caller = new AbortController();
  const onLeave = () => caller.abort(new Error('the caller has left'));
  const onError = () => undefined;
  socket.once('close', onLeave);
  socket.on('error', onError);
  const { path, authority, timeoutMs, idleTimeoutMs } = options;
  const headers = options.headers ?? {};
  const connection = await target.connect({
    path,
    headers: toRequestHeaders(request.rawHeaders, {
      ...headers,
      strip: [...(headers.strip ?? []), 'sec-websocket-key', 'content-length'],
    }),
    signal: caller.signal,
    ...(authority === undefined ? {} : { authority }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
  });
  if (connection.kind === 'refused') return await passRefusal(connection.answer, socket, options);
  const answer = options.toAnswer?.(connection.headers, 101) ?? connection.headers;
  const fields = {
    ...answer,
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-accept': acceptOf(key),
  };
  socket.write(toHead(101, fields));
  if (head.length > 0) connection.stream.write(head);
  return await splice(socket, connection.stream);
}

function keyOf(request: IncomingMessage): string {
  const key = request.headers['sec-websocket-key'];
  const isWebSocket = request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
  if (!isWebSocket || key === undefined || !/^[+/0-9a-z]{22}==$/i.test(key))
    throw new AppError('malformed-request', 'This is not an upgrade to a WebSocket');
  return key;
}

/** Both directions, until one of them ends; then both are over. */
function splice(caller: Duplex, node: Duplex): Promise<ForwardOutcome> {
  return new Promise((resolve) => {
    let ended = 0;
    const onEnd = (kind: ForwardOutcome['kind']) => (error: Error | null | undefined) => {
      ended += 1;
      if (error) {
        caller.destroy();
        node.destroy();
        resolve({ kind, status: 101 });
      } else if (ended === 2) resolve({ kind: 'complete', status: 101 });
    };
    pipeline(caller, node, onEnd('caller-left'));
    pipeline(node, caller, onEnd('broken-off'));
  });
}

function passRefusal(
  { status, headers, body }: TunnelAnswer,
  socket: Duplex,
  { toAnswer }: Omit<ForwardOptions, 'bulk'>,
): Promise<ForwardOutcome> {
  const fields = { ...(toAnswer?.(headers, status) ?? headers), connection: 'close' };
  socket.write(toHead(status, fields));
  return new Promise((resolve) => {
    pipeline(body, socket, (error) => resolve({ kind: error ? 'broken-off' : 'complete', status }));
  });
}

function toHead(status: number, headers: AnswerHeaders): string {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((item) => `${name}: ${item}\r\n`),
  );
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`;
}
