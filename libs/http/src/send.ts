import type { ServerResponse } from 'node:http';
import type { Reply } from './route.js';

/** Larger bodies are not worth the copy. */
const oneWriteBytes = 16 * 1024;

/** Writes an answer; every one says which request it answers and is not to be cached or sniffed. */
export function send(response: ServerResponse, reply: Reply, requestId: string): void {
  if (response.headersSent || response.destroyed) return;
  const bytes =
    reply.bytes ?? (reply.json === undefined ? undefined : Buffer.from(JSON.stringify(reply.json)));
  const headers: Record<string, string | number> = {
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  };
  if (bytes !== undefined) headers['content-type'] = reply.contentType ?? 'application/json';
  if (bytes !== undefined || reply.status !== 204) headers['content-length'] = bytes?.length ?? 0;
  Object.assign(headers, reply.headers);
  response.writeHead(reply.status, headers);
  // As a string the body goes out with the head in one write; latin1 keeps every byte as it is.
  if (bytes !== undefined && bytes.length <= oneWriteBytes) response.end(bytes.toString('latin1'), 'latin1');
  else response.end(bytes);
}
