import { join } from 'node:path';
import { buildHttpApp, createHttpServer, type Route, type VersionInfo } from '@gantry/http';
import { AppError, type Clock, type Logger, type Part, systemClock } from '@gantry/kernel';
import type { CloudStore, Store } from '@gantry/store';
import type { Metrics } from '@gantry/telemetry';
import { BiscuitIssuer, BiscuitVerifier, newSigningKey } from '@gantry/tokens';
import { argon2Hasher, decoyHash } from './adapters/argon2/argon2-hasher.js';
import { passwordFile } from './adapters/files/password-file.js';
import { memoryFailureLimiter } from './adapters/rate-limiter/memory-failure-limiter.js';
import { buildSurface, type CloudSurface } from './cloud-surface.js';
import type { CloudFrontendConfig } from './config.js';
import type { CloudDeps } from './deps.js';
import type { PasswordHasher } from './ports.js';
import { readAdminPassword } from './read-admin-password.js';
import { buildReadiness } from './readiness.js';
import { accountRoutes } from './routes/accounts.js';
import { authenticateRoute } from './routes/authenticate.js';
import { choiceRoutes } from './routes/choice.js';
import { clusterRoutes } from './routes/clusters.js';
import { functionRoutes } from './routes/functions.js';
import { keyRoutes } from './routes/keys.js';
import { passwordRoutes } from './routes/passwords.js';
import { requirementRoutes } from './routes/requirements.js';
import { revocationRoutes } from './routes/revocations.js';
import { BoundedWork } from './usecases/bounded-work.js';
import { ensureAdministrator, type FirstAccount } from './usecases/ensure-administrator.js';
import { KeyRing } from './usecases/key-ring.js';
import { watchTrust } from './usecases/watch-trust.js';

export interface CloudFrontendOptions {
  readonly config: CloudFrontendConfig;
  /** Opened, and closed, by the caller. */
  readonly store: CloudStore & Pick<Store, 'check'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly version: VersionInfo;
  readonly clock?: Clock;
  /** Argon2id unless given. */
  readonly hasher?: PasswordHasher;
}

export interface CloudFrontend {
  /** To be started in this order and stopped in reverse. */
  readonly parts: readonly Part[];
  /** `http://host:port`, once started. */
  readonly url: string;
  /** Once started: the first account, when this start made it with a random password. */
  readonly firstAccount: FirstAccount | undefined;
  readonly link: CloudSurface;
}

/** Sign-ins that may wait for their turn, and for how long: at two at a time, some ten seconds' worth. */
const maxWaitingHashes = 256;
const maxHashWaitMs = 10_000;
const hourMs = 3_600_000;

/**
 * A cloud frontend, to be run by itself or inside a process that has more.
 *
 * @example
 * const cloud = createCloudFrontend({ config, store, logger, metrics, version });
 * await lifecycle.start(cloud.parts);
 * console.log(cloud.url);
 */
export function createCloudFrontend(options: CloudFrontendOptions): CloudFrontend {
  const { config, store, logger, clock = systemClock, hasher = argon2Hasher } = options;
  const verifier = new BiscuitVerifier({ clock, logger });
  let isVerifierReady = false;
  let firstAccount: FirstAccount | undefined;
  const tokenLifetimeMs = config.cloud.tokenLifetimeHours * hourMs;
  const keyRing = new KeyRing({ store, verifier, smith: biscuitSmith, clock, tokenLifetimeMs });
  const deps = buildDeps(options, { keyRing, clock, hasher, tokenLifetimeMs });
  const app = buildHttpApp({
    title: 'Gantry cloud frontend',
    version: options.version,
    routes: buildRoutes(deps),
    authenticators: { verifyToken: (token) => keyRing.verify(token) },
    readiness: buildReadiness(options.store, keyRing, () => isVerifierReady),
    logger,
    metrics: options.metrics,
  });
  const { host, port } = config.cloud;
  const server = createHttpServer(
    { name: 'cloud-frontend', host, port, portSetting: 'GANTRY_CLOUD_PORT' },
    app,
  );
  const file = passwordFile(join(config.dataDir, 'admin-password'));
  const parts: readonly Part[] = [
    // First, so that its threads end whatever fails to start after it.
    { name: 'verifier', stop: () => verifier.close() },
    {
      name: 'first-account',
      start: async () => {
        const given = readAdminPassword(config.cloud.adminPasswordFile);
        firstAccount = await ensureAdministrator({ ...deps, file, quota: deps.defaultQuota }, given);
      },
    },
    watchTrust({
      keyRing,
      tokens: store.tokens,
      clock,
      logger,
      intervalMs: config.cloud.refreshSeconds * 1000,
    }),
    {
      name: 'verifier-warm-up',
      start: async () => {
        await verifier.ready();
        isVerifierReady = true;
      },
    },
    server,
  ];
  return {
    parts,
    get url() {
      return server.url;
    },
    get firstAccount() {
      return firstAccount;
    },
    link: buildSurface(deps),
  };
}

/** The feature list. Called most often first. */
const buildRoutes = (deps: CloudDeps): readonly Route[] => [
  ...choiceRoutes(deps),
  ...functionRoutes(deps),
  ...requirementRoutes(deps),
  ...clusterRoutes(deps),
  ...keyRoutes(deps),
  ...revocationRoutes(deps),
  authenticateRoute(deps),
  ...passwordRoutes(deps),
  ...accountRoutes(deps),
];

const biscuitSmith = {
  newKey: newSigningKey,
  issuerOf: (readKeys: ConstructorParameters<typeof BiscuitIssuer>[0]) => new BiscuitIssuer(readKeys),
};

function buildDeps(
  { config: { cloud }, store, logger, metrics }: CloudFrontendOptions,
  made: Pick<CloudDeps, 'keyRing' | 'clock' | 'hasher' | 'tokenLifetimeMs'>,
): CloudDeps {
  const hashing = new BoundedWork({
    concurrency: cloud.hashConcurrency,
    maxWaiting: maxWaitingHashes,
    maxWaitMs: maxHashWaitMs,
    refusal: () => new AppError('too-many-requests', 'Too many passwords are being checked; try again later'),
  });
  metrics.gauge('password_checks_waiting', 'Password checks that wait for their turn', [], (gauge) =>
    gauge.set(hashing.waiting),
  );
  const { accounts, documents, clusters, keys, tokens } = store;
  return {
    ...made,
    ...{ accounts, documents, clusters, keys, tokens, logger, hashing, decoyHash },
    issue: (principal) => made.keyRing.issue(principal),
    refresh: () => made.keyRing.refresh(),
    failures: memoryFailureLimiter(cloud.failedSignInsPerMinute),
    silenceMs: cloud.clusterSilenceSeconds * 1000,
    defaultQuota: { functions: cloud.defaultQuotaFunctions, bytes: cloud.defaultQuotaFunctionBytes },
    signIns: metrics.counter('sign_ins_total', 'Sign-ins by how they ended', ['outcome']),
    latencies: metrics.histogram(
      'device_latency_seconds',
      'Latencies to edge clusters as devices measure them',
    ),
  };
}
