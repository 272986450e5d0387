/** The distributed shape: RabbitMQ, PostgreSQL, and each service as a process of its own. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { checkedFetch } from './checked-fetch.js';
import { signIn } from './device.js';
import { newDataDir } from './platform.js';
import { type Running, root, startNode, until } from './processes.js';

const programs = {
  cloud: join(root, 'services', 'cloud-frontend', 'dist', 'main.js'),
  edge: join(root, 'services', 'edge-frontend', 'dist', 'main.js'),
  runtime: join(root, 'runtime', 'executor', 'dist', 'main.js'),
};

export interface Distributed {
  readonly cloudUrl: string;
  readonly edgeUrl: string;
  readonly adminPassword: string;
  readonly adminPasswordFile: string;
  readonly runtimeCredentialFile: string;
  /** Of the edge frontend. */
  readonly edgeDataDir: string;
  cloud: Running;
  edge: Running;
  runtimes: Running[];
  startCloud(): Promise<void>;
  startEdge(options?: { waitReady?: boolean }): Promise<void>;
  /** Starts one more runtime, of flavour Nature unless told otherwise; answers once its process runs. */
  startRuntime(flavour?: string, env?: Readonly<Record<string, string>>): Running;
  /** Waits until the edge frontend says that it is ready. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

/** A port that was free a moment ago, for programs that cannot say which one they took. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

const isReady = async (url: string) => {
  try {
    return (await fetch(`${url}/readyz`)).status === 200;
  } catch {
    return false;
  }
};

/**
 * Starts everything with one runtime; `brokerUrl` and `storeUrl` are servers that already run.
 * @param edgeEnv further settings of the edge frontend
 * @param options `waitReady: false` when it serves flavours whose runtimes come later
 */
export async function startDistributed(
  brokerUrl: string,
  storeUrl: string,
  edgeEnv: Readonly<Record<string, string>> = {},
  options: { waitReady?: boolean } = {},
): Promise<Distributed> {
  const folder = newDataDir();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const secret = (name: string, value: string) => {
    const path = join(folder, name);
    writeFileSync(path, value, { mode: 0o600 });
    return path;
  };
  const adminPassword = randomBytes(16).toString('hex');
  const [cloudPort, edgePort] = [await freePort(), await freePort()];
  const cloudUrl = `http://127.0.0.1:${cloudPort}`;
  const edgeUrl = `http://127.0.0.1:${edgePort}`;
  const shared = { GANTRY_STORE_URL: storeUrl, GANTRY_BROKER_URL: brokerUrl, GANTRY_LOG_LEVEL: 'warn' };
  const adminPasswordFile = secret('admin-password', adminPassword);
  const runtimeCredentialFile = secret('runtime-credential', randomBytes(32).toString('base64url'));
  let enrolmentTokenFile = '';

  const platform: Distributed = {
    cloudUrl,
    edgeUrl,
    adminPassword,
    adminPasswordFile,
    runtimeCredentialFile,
    edgeDataDir: join(folder, 'edge'),
    cloud: undefined as never,
    edge: undefined as never,
    runtimes: [],
    async startCloud() {
      platform.cloud = startNode(programs.cloud, [], {
        GANTRY_STORE_URL: storeUrl,
        GANTRY_LOG_LEVEL: 'warn',
        GANTRY_DATA_DIR: join(folder, 'cloud'),
        GANTRY_CLOUD_PORT: String(cloudPort),
        GANTRY_ADMIN_PASSWORD_FILE: adminPasswordFile,
      });
      await untilUp('the cloud frontend', platform.cloud, () => isReady(cloudUrl));
    },
    async startEdge({ waitReady = true } = {}) {
      platform.edge = startNode(programs.edge, [], {
        ...shared,
        GANTRY_DATA_DIR: join(folder, 'edge'),
        GANTRY_EDGE_PORT: String(edgePort),
        GANTRY_CLOUD_URL: cloudUrl,
        GANTRY_ENROLMENT_TOKEN_FILE: enrolmentTokenFile,
        GANTRY_RUNTIME_CREDENTIAL_FILE: runtimeCredentialFile,
        GANTRY_CLUSTER_NAME: 'test-cluster',
        ...edgeEnv,
      });
      const answers = async () => (await fetch(`${edgeUrl}/livez`).catch(() => undefined))?.status === 200;
      await untilUp('the edge frontend', platform.edge, answers);
      if (waitReady) await platform.ready();
    },
    startRuntime(flavour = 'Nature', env = {}) {
      const runtime = startNode(programs.runtime, ['--flavour', flavour], {
        GANTRY_BROKER_URL: brokerUrl,
        GANTRY_LOG_LEVEL: 'warn',
        GANTRY_EDGE_URLS: edgeUrl,
        GANTRY_RUNTIME_CREDENTIAL_FILE: runtimeCredentialFile,
        GANTRY_DATA_DIR: join(folder, `runtime-${platform.runtimes.length}`),
        ...env,
      });
      platform.runtimes.push(runtime);
      return runtime;
    },
    ready: () => untilUp('the edge frontend to be ready', platform.edge, () => isReady(edgeUrl)),
    async stop() {
      const all = [platform.edge, platform.cloud, ...platform.runtimes].filter((one) => one !== undefined);
      await Promise.all(all.map((one) => one.stop('SIGTERM')));
    },
  };

  await platform.startCloud();
  const token = await signIn(cloudUrl, 'admin', adminPassword);
  const enrolled = await checkedFetch(`${cloudUrl}/v1/clusters`, {
    method: 'POST',
    headers: { token },
    body: Buffer.from(JSON.stringify({ name: 'test-cluster' })),
  });
  enrolmentTokenFile = secret('enrolment-token', enrolled.json.enrolment_token);
  platform.startRuntime();
  await platform.startEdge(options);
  return platform;
}

async function untilUp(what: string, running: Running, condition: () => Promise<boolean>): Promise<void> {
  let end: number | string | undefined;
  void running.ended.then((code) => {
    end = code;
  });
  await until(
    what,
    () => {
      if (end !== undefined) throw new Error(`${what}: ended with ${end}\n${running.output()}`);
      return condition();
    },
    60_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}\n${running.output().slice(-4000)}`);
  });
}
