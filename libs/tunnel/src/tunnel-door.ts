import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { resolveLimits } from './limits.js';
import { type AcceptOptions, acceptTunnel, type Tunnel } from './tunnel.js';
import { tunnelProtocol } from './tunnel-protocol.js';

/**
 * Where agents come in: turns upgrades that the bridge has already authenticated into tunnels. Compression is off (it
 * costs more than everything else here; bodies are compressed where it pays), masks and message sizes are bounded.
 */
export class TunnelDoor {
  readonly #options: Omit<AcceptOptions, 'name'>;
  readonly #sockets: WebSocketServer;

  constructor(options: Omit<AcceptOptions, 'name'> = {}) {
    this.#options = options;
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: resolveLimits(options.limits).maxMessageBytes,
      handleProtocols: (offered) => (offered.has(tunnelProtocol) ? tunnelProtocol : false),
    });
  }

  /** Whether an upgrade request offers our subprotocol; others deserve a 400 that names it. */
  offersTunnel(request: IncomingMessage): boolean {
    const offered = request.headers['sec-websocket-protocol'] ?? '';
    return offered.split(',').some((name) => name.trim() === tunnelProtocol);
  }

  /**
   * Answers the upgrade and waits for the agent's HTTP/2 handshake. Until it is called the socket needs an `error`
   * listener of the bridge's own: node:http gives it none.
   * @throws node-unreachable when the handshake does not end in time
   */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, name: string): Promise<Tunnel> {
    return new Promise((resolve, reject) => {
      // A malformed upgrade is answered by ws with a 4xx and never becomes a WebSocket.
      socket.once('close', () => reject(new Error('the connection was closed in its handshake')));
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        acceptTunnel(webSocket, { ...this.#options, name }).then(resolve, reject);
      });
    });
  }
}
