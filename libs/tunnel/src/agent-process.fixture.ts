/** An agent as a process of its own: `fork(agentFile, [url])`. Says `connected`; what it answers is below. */
import { createHash } from 'node:crypto';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { dialTunnel } from './dial-tunnel.js';

const [url = '', connections = '1'] = process.argv.slice(2);
const piece = Buffer.alloc(64 * 1024, 'gantry');

let peakRssBytes = 0;
setInterval(() => {
  peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss());
}, 20).unref();

dialTunnel({
  url,
  connections: Number(connections),
  headers: (slot) => ({ 'x-node': 'child', 'x-slot': String(slot) }),
  handler: async (request, response) => {
    const target = new URL(request.url, 'http://node');
    if (target.pathname === '/never') return;
    if (target.pathname === '/begin') response.write('begin');
    else if (target.pathname === '/send') await sendBytes(response, Number(target.searchParams.get('bytes')));
    else if (target.pathname === '/receive') await receiveBytes(request, response);
    else if (target.pathname === '/rss') {
      global.gc?.();
      response.end(JSON.stringify({ rss: process.memoryUsage.rss(), peak: peakRssBytes }));
      peakRssBytes = 0;
    } else response.end('ok');
  },
  onState: ({ kind }) => void process.send?.(kind, () => undefined),
});

async function sendBytes(response: Http2ServerResponse, bytes: number): Promise<void> {
  response.writeHead(200, { 'content-length': String(bytes) });
  for (let sent = 0; sent < bytes; sent += piece.length) {
    const isTaken = response.write(piece.subarray(0, Math.min(piece.length, bytes - sent)));
    if (!isTaken) await new Promise((resolve) => response.once('drain', resolve));
  }
  response.end();
}

async function receiveBytes(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') }));
}

// An orphan has no reason to live.
process.on('disconnect', () => process.exit(0));
