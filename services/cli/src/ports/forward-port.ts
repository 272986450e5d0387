/**
 * A port of this machine that leads to a port of a node: every connection is a WebSocket through the bridge.
 *
 * I1. At most {@link maxConnections} at once; more are turned away, so that one page cannot take all of the account's
 *     places at the bridge.
 * I2. Listens on 127.0.0.1 only: whoever can connect acts with the rights of this account on that port.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';

const maxConnections = 32;

export interface ForwardedPort {
  /** Where it listens. */
  readonly port: number;
  close(): void;
}

export interface ForwardOptions {
  /** 0: any that is free. */
  readonly listenPort: number;
  readonly open: () => Promise<Duplex>;
  /** Told of a connection that could not be opened. */
  readonly onFailure: (error: unknown) => void;
}

/** @throws when the port cannot be listened on */
export async function forwardPort({ listenPort, onFailure, open }: ForwardOptions): Promise<ForwardedPort> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    open().then(
      (remote) => {
        pipeline(socket, remote, () => socket.destroy());
        pipeline(remote, socket, () => remote.destroy());
      },
      (error: unknown) => {
        socket.destroy();
        onFailure(error);
      },
    );
  });
  server.maxConnections = maxConnections; // I1
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: listenPort }, resolve); // I2
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : listenPort,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
