/** `node bridge.js`: the bridge of the measurement, nothing but the tunnel and node:http. `GET /rss` is answered here. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { forwardHttp, TunnelDoor, TunnelGroup } from '@gantry/tunnel';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const door = new TunnelDoor({ limits: { handshakeTimeoutMs: 60_000 } });
const group = new TunnelGroup('node', { maxTunnels: 10_000 });
const server = createServer({ noDelay: true }, (request, response) => {
  if (request.url === '/rss') {
    const rss = process.memoryUsage.rss();
    collectGarbage();
    response.end(
      JSON.stringify({ rss, rssCollected: process.memoryUsage.rss(), tunnels: group.tunnels.length }),
    );
    return;
  }
  forwardHttp(group, request, response, { path: request.url ?? '/' }).catch(() => {
    if (!response.destroyed) response.writeHead(502, { 'content-length': '0' }).end();
  });
});
server.on('upgrade', (request, socket, head) => {
  door.accept(request, socket, head, 'node').then(
    (tunnel) => group.add(tunnel),
    () => socket.destroy(),
  );
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
  process.send?.({ kind: 'ready', port: (server.address() as AddressInfo).port }),
);
process.on('disconnect', () => process.exit(0));
