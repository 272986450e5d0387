/**
 * `/register`: edge services of RADICAL Edge, as they are, under the rules of our nodes.
 *
 * I1. A socket has one name, for as long as it lives; its plugins may change.
 * I2. The name is the one that its token is for. In open mode it is any that is not enrolled and not in use.
 */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type AgentInfo, nodeNameSchema } from '@gantry/contracts';
import { AppError, messageOf, newId } from '@gantry/kernel';
import type { WebSocket } from 'ws';
import { OriginalDoor } from '../adapters/original-edge/original-door.js';
import type { EdgeFrame, EdgePlugins, TopologyFrame } from '../adapters/original-edge/original-frames.js';
import { OriginalLink } from '../adapters/original-edge/original-link.js';
import type { BridgeDeps } from '../deps.js';
import { checkCredential } from '../usecases/check-credential.js';
import type { Holder } from '../usecases/node-registry.js';
import { type CallerCheck, openPrincipal, tokenOf } from './authorize.js';
import type { RegisterDoor } from './upgrade-listener.js';

const maxNotificationBytes = 256 * 1024;
const aliveMs = 2000;
const maxPlugins = 256;

interface Proof {
  /** Undefined in open mode: the edge may choose. */
  readonly name: string | undefined;
  readonly credentialId: string | null;
}

export function buildRegisterDoor(deps: BridgeDeps, callers: CallerCheck): RegisterDoor {
  const door = new OriginalDoor();
  return async (request, socket, head, pathToken) => {
    const proof = await prove(deps, callers, request, pathToken);
    const address = request.socket.remoteAddress ?? '';
    await register(deps, door, proof, address, { request, socket, head });
  };
}

/** @throws {AppError} missing-token, invalid-service-credential, forbidden */
async function prove(
  deps: BridgeDeps,
  callers: CallerCheck,
  request: IncomingMessage,
  pathToken: string | undefined,
): Promise<Proof> {
  const token = pathToken ?? tokenOf(request);
  if (token !== undefined) return await checkCredential(deps, token);
  if (callers.allowsNoToken(request)) return { name: undefined, credentialId: null };
  throw new AppError('missing-token', 'Put the credential of the node into the path: /t/CREDENTIAL/register');
}

async function register(
  deps: BridgeDeps,
  door: OriginalDoor,
  proof: Proof,
  address: string,
  upgrade: { request: IncomingMessage; socket: Duplex; head: Buffer },
): Promise<void> {
  const { frame, socket } = await door.accept(upgrade.request, upgrade.socket, upgrade.head);
  try {
    const { edge_name: name } = frame;
    await admit(deps, proof, name);
    let holder: Holder | undefined;
    let count = 0;
    const instance = newId();
    const startedMs = deps.clock.now();
    let { plugins } = frame;
    const report = async () => {
      if (holder !== undefined)
        await deps.registry.report(holder, toInfo(name, plugins, instance, startedMs));
    };
    const link = new OriginalLink(name, socket, {
      frame: (next) => {
        count += 1;
        if (next.type === 'topology') {
          plugins = nextPlugins(plugins, next, name);
          void report().catch((error: unknown) =>
            deps.logger.warn('the plugins of an edge were not kept', {
              node: name,
              reason: messageOf(error),
            }),
          );
        } else take(deps, link, next, { epoch: instance, seq: count });
      },
      end: (reason) => {
        if (holder !== undefined) deps.registry.released(holder, reason);
      },
    });
    socket.resume();
    const claim = { name, credentialId: proof.credentialId, instance, address };
    holder = await deps.registry.claim(claim, link);
    await report();
    // An edge takes this for the word that it is in; of other edges it learns nothing.
    link.send({ type: 'topology', edges: { [name]: { plugins: Object.keys(plugins) } } });
  } catch (error) {
    refuse(socket, error);
    deps.logger.info('an original edge was refused', {
      node: frame.edge_name.slice(0, 64),
      reason: messageOf(error),
    });
  }
}

/** I2 */
async function admit(deps: BridgeDeps, proof: Proof, name: string): Promise<void> {
  if (!nodeNameSchema.safeParse(name).success)
    throw new AppError('invalid-request', `The name '${name.slice(0, 64)}' is reserved or is no name`);
  if (proof.name !== undefined) {
    if (proof.name === name) return;
    throw new AppError('forbidden', `The token is for the name '${proof.name}'`);
  }
  const known = await deps.nodes.find(name);
  if (known?.credentialId !== undefined || known?.isRevoked === true)
    throw new AppError('forbidden', `The name '${name}' needs the token that it was enrolled with`);
  const link = deps.registry.holderOf(name)?.link;
  if (link?.isOpen === true && (!(link instanceof OriginalLink) || (await link.isAlive(aliveMs))))
    throw new AppError('node-exists', `Edge '${name}' already used`);
  if (known !== undefined) return;
  const createdAtMs = deps.clock.now();
  const owner = openPrincipal.user;
  await deps.nodes.create({
    name,
    owner,
    labels: {},
    tokenSha256: null,
    tokenExpiresAtMs: null,
    createdAtMs,
  });
}

function take(
  deps: BridgeDeps,
  link: OriginalLink,
  frame: EdgeFrame,
  position: { readonly epoch: string; readonly seq: number },
): void {
  if (frame.type === 'register') {
    // I1
    link.send({ type: 'error', message: `This connection is '${link.name}' already` });
    link.close('a second registration on one connection');
    return;
  }
  if (frame.type !== 'notification') return;
  if ((JSON.stringify(frame.data) ?? '').length > maxNotificationBytes) {
    deps.logger.warn('a notification is too large', { node: link.name, plugin: frame.plugin });
    return;
  }
  const time = new Date(deps.clock.now()).toISOString();
  const { data, plugin, topic } = frame;
  const event = { ...position, time, plugin, topic, audience: null, data };
  deps.hub.publish({ kind: 'event', node: link.name, event });
}

function refuse(socket: WebSocket, error: unknown): void {
  socket.resume();
  if (socket.readyState === socket.OPEN)
    socket.send(JSON.stringify({ type: 'error', message: messageOf(error) }));
  socket.close(1000);
}

/** The plugins that an edge has by now. What it says of others is nothing to us; a bare name keeps what was known of it. */
function nextPlugins(known: EdgePlugins, { edges }: TopologyFrame, name: string): EdgePlugins {
  const said = edges[name]?.plugins;
  if (said === undefined) return known;
  return Object.fromEntries(
    Object.entries(said).map(([plugin, what]) => [plugin, { ...known[plugin], ...what }]),
  );
}

/** What an original edge says of itself, in our words. */
function toInfo(name: string, plugins: EdgePlugins, epoch: string, startedMs: number): AgentInfo {
  return {
    node: name,
    version: 'radical.edge',
    started_at: new Date(startedMs).toISOString(),
    labels: {},
    facts: {},
    plugins: Object.entries(plugins)
      .slice(0, maxPlugins)
      .flatMap(([name, plugin]) => {
        if (!/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(name)) return [];
        return [
          {
            ...{
              name,
              aliases: [],
              state: 'running' as const,
              reason: null,
              health: null,
              permissions: [`${name}:*`],
            },
            version: typeof plugin.version === 'string' ? plugin.version.slice(0, 64) : '',
            ui: isRecord(plugin.ui_config) ? plugin.ui_config : {},
          },
        ];
      }),
    config: { revision: null, refused: null },
    events: { epoch, last_seq: 0, acknowledged: 0, waiting: 0, dropped_total: 0 },
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
