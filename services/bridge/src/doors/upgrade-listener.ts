/** Upgrades: agents and original edges that come in, and WebSockets of people through to a node. */
import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { connectionHeader, instanceHeader, instanceIdSchema, knownKeysHeader } from '@gantry/contracts';
import { requestIdOf, toProblemReply } from '@gantry/http';
import { AppError, isAppError, messageOf, type Part } from '@gantry/kernel';
import { TunnelDoor, tunnelProtocol } from '@gantry/tunnel';
import type { BridgeDeps } from '../deps.js';
import { checkCredential } from '../usecases/check-credential.js';
import { forwardUpgradeToNode } from '../usecases/forward-to-node.js';
import { bearerOf, type CallerCheck } from './authorize.js';
import { planRequest } from './plan-request.js';

/** Takes an original edge's upgrade, with the token of its path or header. */
export type RegisterDoor = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  token: string | undefined,
) => Promise<void>;

const maxSlot = 7;

export class UpgradeListener implements Part {
  readonly name = 'upgrades';
  readonly #deps: BridgeDeps;
  readonly #callers: CallerCheck;
  readonly #register: RegisterDoor;
  readonly #tunnels = new TunnelDoor();
  /** WebSockets of people; tunnels are the registry's. */
  readonly #passing = new Set<Duplex>();
  #isStopping = false;

  constructor(deps: BridgeDeps, callers: CallerCheck, register: RegisterDoor) {
    this.#deps = deps;
    this.#callers = callers;
    this.#register = register;
  }

  stop(): void {
    this.#isStopping = true;
    for (const socket of this.#passing) socket.destroy();
  }

  take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Without a listener an error of the peer would end the process.
    socket.on('error', () => undefined);
    void this.#take(request, socket, head).catch((error: unknown) => {
      if (!isAppError(error)) this.#deps.logger.debug('an upgrade failed', { reason: messageOf(error) });
      refuseUpgrade(socket, error, requestIdOf(request));
    });
  }

  async #take(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (this.#isStopping) throw new AppError('shutting-down');
    const plan = planRequest(request.url ?? '/');
    request.url = plan.url;
    switch (plan.kind) {
      case 'tunnel':
        return await this.#takeTunnel(request, socket, head);
      case 'register':
        return await this.#register(request, socket, head, plan.token);
      case 'node': {
        const { door, node, path, plugin } = plan;
        const caller = await this.#callers.callerOf(request, plan.token, door === 'original');
        const call = { caller, node, plugin, path, requestId: requestIdOf(request) };
        this.#passing.add(socket);
        socket.once('close', () => this.#passing.delete(socket));
        return await forwardUpgradeToNode(this.#deps, call, request, socket, head);
      }
      default:
        throw new AppError('route-not-found', 'There is no WebSocket here');
    }
  }

  async #takeTunnel(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { registry } = this.#deps;
    if (!this.#tunnels.offersTunnel(request))
      throw new AppError('malformed-request', `Offer the WebSocket subprotocol ${tunnelProtocol}`);
    const credential = bearerOf(request.headers.authorization);
    if (credential === undefined) throw new AppError('invalid-service-credential');
    const instance = instanceIdSchema.safeParse(request.headers[instanceHeader]);
    if (!instance.success) throw new AppError('malformed-request', `The header ${instanceHeader} is missing`);
    const slot = Number(request.headers[connectionHeader] ?? 0);
    if (!Number.isInteger(slot) || slot < 0 || slot > maxSlot)
      throw new AppError('malformed-request', `The header ${connectionHeader} must be 0 to ${maxSlot}`);
    const { credentialId, name } = await checkCredential(this.#deps, credential);
    const address = request.socket.remoteAddress ?? '';
    const tunnel = await this.#tunnels.accept(request, socket, head, name);
    const keyIds = parseKeyIds(request.headers[knownKeysHeader]);
    await this.#deps.keys.learn(keyIds ?? []);
    const claim = { name, credentialId, instance: instance.data, address, keyIds };
    await registry.claimTunnel(claim, slot, tunnel).catch((error: unknown) => {
      this.#deps.logger.info('a tunnel was refused', { node: name, reason: messageOf(error) });
    });
  }
}

/** Undefined for an agent that does not say, or says nothing that can be read. */
function parseKeyIds(text: string | string[] | undefined): readonly number[] | undefined {
  return typeof text === 'string' && /^\d{1,9}(,\d{1,9}){0,15}$/.test(text)
    ? text.split(',').map(Number)
    : undefined;
}

/** An upgrade that is answered with a problem instead. */
function refuseUpgrade(socket: Duplex, error: unknown, requestId: string): void {
  if (socket.destroyed || !socket.writable) return;
  const { bytes = Buffer.alloc(0), contentType, headers, status } = toProblemReply(error, { requestId });
  const fields = {
    ...headers,
    'content-type': contentType ?? 'application/problem+json',
    'content-length': String(bytes.length),
    connection: 'close',
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${bytes.toString()}`);
}
