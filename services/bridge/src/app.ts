import { join } from 'node:path';
import { buildHttpApp, createHttpServer, type Route, type VersionInfo } from '@gantry/http';
import { type Clock, type Logger, newId, type Part, systemClock } from '@gantry/kernel';
import type { BridgeStore, Store } from '@gantry/store';
import type { Metrics } from '@gantry/telemetry';
import { BiscuitIssuer, BiscuitVerifier, newSigningKey } from '@gantry/tokens';
import { AuditFile } from './adapters/files/audit-file.js';
import { observeBridge } from './bridge-metrics.js';
import { type BridgeSurface, buildSurface } from './bridge-surface.js';
import { composeTrust } from './compose-trust.js';
import { type BridgeConfig, checkAccess } from './config.js';
import type { BridgeDeps } from './deps.js';
import { CallerCheck } from './doors/authorize.js';
import { buildListener } from './doors/bridge-listener.js';
import { buildRegisterDoor } from './doors/register-door.js';
import { UpgradeListener } from './doors/upgrade-listener.js';
import type { CloudTrust, UserTrust } from './ports.js';
import { buildReadiness } from './readiness.js';
import { bridgeKeyRoutes } from './routes/bridge-keys.js';
import { edgeDoorRoutes } from './routes/edge-door.js';
import { labelSettingsRoutes } from './routes/label-settings.js';
import { nodeRoutes } from './routes/nodes.js';
import { AgentFeeds } from './usecases/agent-feed.js';
import { AuditShares } from './usecases/audit-shares.js';
import { BridgeKeys } from './usecases/bridge-keys.js';
import { CallLimits } from './usecases/call-limits.js';
import { CallerStatements } from './usecases/caller-statements.js';
import { EventHub } from './usecases/event-hub.js';
import { LabelSettingsRecords } from './usecases/label-settings.js';
import { NodeRecords } from './usecases/node-records.js';
import { type Holder, NodeRegistry } from './usecases/node-registry.js';
import { OpenStreams } from './usecases/open-streams.js';
import { OriginalSessions } from './usecases/original-sessions.js';
import { RedeemLimits } from './usecases/redeem-limits.js';
import { RedeemedCredentials } from './usecases/redeemed-credentials.js';

export interface BridgeOptions {
  readonly config: BridgeConfig;
  /** Opened, and closed, by the caller. */
  readonly store: BridgeStore & Pick<Store, 'check'>;
  /** Whose tokens are taken: those of a cloud frontend elsewhere, or what one in this process says. */
  readonly cloud: CloudTrust | UserTrust;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly version: VersionInfo;
  readonly clock?: Clock;
  /** The node, if any, whose agent runs as the same user as this process. */
  readonly ownMachine?: string;
}

export interface Bridge {
  /** To be started in this order and stopped in reverse. */
  readonly parts: readonly Part[];
  /** `http://host:port`, once started. */
  readonly url: string;
  readonly link: BridgeSurface;
}

/**
 * A bridge, to be run by itself or inside a process that has more.
 *
 * @example
 * const bridge = createBridge({ config, store, cloud, logger, metrics, version });
 * await lifecycle.start(bridge.parts);
 *
 * @throws {ConfigError} when open mode is asked for on a listener that is not loopback
 */
export function createBridge(options: BridgeOptions): Bridge {
  const { config, logger, store } = options;
  const { bridge: settings } = config;
  checkAccess(settings);
  const made = buildDeps(options, () => (settings.publicUrl === '' ? server.url : settings.publicUrl));
  const { auditParts, deps, nodeVerifier, trustParts } = made;
  let isVerifierReady = false;
  const callers = new CallerCheck(deps.trust, settings.access === 'open');
  const upgrades = new UpgradeListener(deps, callers, buildRegisterDoor(deps, callers));
  const app = buildHttpApp({
    title: 'Gantry bridge',
    version: options.version,
    routes: buildRoutes(deps),
    authenticators: { verifyToken: callers.verify },
    readiness: buildReadiness(store, deps, () => isVerifierReady),
    logger,
    metrics: options.metrics,
  });
  const { host, port } = settings;
  const server = createHttpServer(
    {
      ...{ name: 'bridge', host, port, portSetting: 'GANTRY_BRIDGE_PORT' },
      // A large upload takes as long as it takes; the tunnel gives up when no byte moves.
      requestTimeoutMs: 0,
      onUpgrade: (request, socket, head) => upgrades.take(request, socket, head),
    },
    buildListener(deps, callers, app),
  );
  const parts: readonly Part[] = [
    // First, so that its threads end whatever fails to start after it.
    { name: 'verifier of nodes', stop: () => nodeVerifier.close() },
    ...trustParts,
    ...auditParts,
    deps.keys,
    {
      name: 'warm-up',
      start: () => {
        // Nothing waits for it but the first node.
        void nodeVerifier.ready().then(
          () => {
            isVerifierReady = true;
          },
          () => undefined,
        );
      },
    },
    server,
    // After the server, so that they stop before it: it waits for their connections and cannot end them.
    deps.registry,
    deps.streams,
    { name: 'events', stop: () => deps.hub.close() },
    upgrades,
  ];
  return {
    parts,
    get url() {
      return server.url;
    },
    link: buildSurface(deps),
  };
}

/** The feature list. Called most often first. */
const buildRoutes = (deps: BridgeDeps): readonly Route[] => [
  ...nodeRoutes(deps),
  ...edgeDoorRoutes(deps),
  ...bridgeKeyRoutes(deps),
  ...labelSettingsRoutes(deps),
];

/** Of one account to one original edge, which takes 256 in all. */
const maxCallsPerEdge = 64;

function buildDeps(options: BridgeOptions, publicUrl: () => string) {
  const { cloud, config, logger, metrics, store, clock = systemClock } = options;
  const { bridge: settings } = config;
  const { nodes } = store;
  const bridgeId = newId();
  const maxFileBytes = settings.auditFileMiB * 1024 * 1024;
  const [main, busy] = (['audit', 'audit-busy'] as const).map(
    (name) => new AuditFile({ folder: join(config.dataDir, 'audit'), name, maxFileBytes, clock, logger }),
  ) as [AuditFile, AuditFile];
  const audit = new AuditShares({ main, busy, bytesPerHour: maxFileBytes / 16, clock });
  const nodeVerifier = new BiscuitVerifier({ clock, logger });
  const keys = new BridgeKeys({
    keys: store.bridgeKeys,
    verifier: nodeVerifier,
    newKey: newSigningKey,
    credentialLifetimeMs: settings.credentialDays * 86_400_000,
    onRotated: () => void feeds.teachAll(),
    ...{ clock, logger },
  });
  const { trust, parts: trustParts } = composeTrust(cloud, { clock, logger });
  const records = new NodeRecords(nodes, clock);
  const labelSettings = new LabelSettingsRecords(store.labelSettings, clock);
  const statements = new CallerStatements(clock, (node) => keys.newestOf(registry.holderOf(node)?.keyIds));
  const hub = new EventHub((node) => records.peek(node), {
    maxReaders: settings.maxEventReaders,
    maxReadersPerUser: Math.max(1, Math.floor(settings.maxEventReaders / 10)),
  });
  const registry: NodeRegistry = new NodeRegistry({
    ...{ nodes, records, audit, clock, logger },
    self: () => ({ bridgeId, url: settings.publicUrl === '' ? null : settings.publicUrl }),
    onJoined: (holder: Holder) => {
      hub.publish({ kind: 'node', node: holder.name, state: 'connected' });
      if (holder.link.kind === 'gantry') feeds.begin(holder);
    },
    onTouched: ({ name }: Holder) => void feeds.catchUp(name),
    // Readers of the topology learn the plugins by it: when a node connects, they are not known yet.
    onPluginsChanged: ({ name }: Holder) => hub.publish({ kind: 'node', node: name, state: 'connected' }),
    onLost: (holder: Holder) => {
      feeds.end(holder);
      hub.publish({ kind: 'node', node: holder.name, state: 'disconnected' });
    },
  });
  const feeds: AgentFeeds = new AgentFeeds({
    registry,
    records,
    labelSettings,
    statements,
    keys,
    hub,
    logger,
  });
  const limits = new CallLimits(settings.maxCallsInFlight, settings.maxCallsPerUser);
  observeBridge(metrics, { registry, limits, hub });
  const deps: BridgeDeps = {
    ...{ labelSettings, labelSettingsStore: store.labelSettings },
    ...{ settings, nodes, records, registry, feeds, hub, statements, limits, audit, trust, keys },
    ...{ nodeVerifier, bridgeId, clock, logger, publicUrl, ownMachine: options.ownMachine },
    sessions: new OriginalSessions(),
    edgeLimits: new CallLimits(settings.maxCallsInFlight, maxCallsPerEdge),
    streams: new OpenStreams(records),
    redeemLimits: new RedeemLimits(clock),
    redeemed: new RedeemedCredentials(clock),
    issuer: new BiscuitIssuer(() => keys.keys),
  };
  return { deps, auditParts: [main, busy, audit], nodeVerifier, trustParts };
}
