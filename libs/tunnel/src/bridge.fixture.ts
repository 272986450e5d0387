/** A bridge for tests: an HTTP server that turns every upgrade into a tunnel. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TunnelLimits } from './limits.js';
import type { Tunnel } from './tunnel.js';
import { TunnelDoor } from './tunnel-door.js';

export interface TestBridge {
  readonly url: string;
  readonly port: number;
  readonly tunnels: readonly Tunnel[];
  /** The tunnel number `index` (from 0) that was ever accepted. */
  tunnel(index?: number): Promise<Tunnel>;
  /** Resets every connection, as a killed process does. */
  stop(): Promise<void>;
}

export interface TestBridgeOptions {
  readonly limits?: Partial<TunnelLimits>;
  readonly port?: number;
}

export async function startBridge({ limits = {}, port = 0 }: TestBridgeOptions = {}): Promise<TestBridge> {
  const door = new TunnelDoor({ limits });
  const server = createServer();
  const tunnels: Tunnel[] = [];
  const waiting = new Set<() => void>();
  const sockets = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const name = String(request.headers['x-node'] ?? 'a node');
    door.accept(request, socket, head, name).then(
      (tunnel) => {
        tunnels.push(tunnel);
        for (const wake of waiting) wake();
      },
      () => undefined,
    );
  });
  await listen(server, port);
  const { port: ownPort } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${ownPort}/tunnel`,
    port: ownPort,
    tunnels,
    tunnel: async (index = 0) => {
      for (;;) {
        const tunnel = tunnels[index];
        if (tunnel !== undefined) return tunnel;
        await new Promise<void>((resolve) => {
          waiting.add(() => resolve());
        });
      }
    },
    stop: async () => {
      for (const tunnel of tunnels) tunnel.close('the test is over');
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const listen = (server: Server, port: number) =>
  new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
