/** An edge frontend over an in-process broker and a libsql file in a temporary folder, reached over real HTTP. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Broker, InProcessServer } from '@gantry/broker';
import { loadConfig } from '@gantry/config';
import type { FlavourDefinition } from '@gantry/contracts';
import { type Clock, Lifecycle, type Logger, silentLogger } from '@gantry/kernel';
import { openStore, type Store } from '@gantry/store';
import { createMetrics, type Metrics } from '@gantry/telemetry';
import { createEdgeFrontend, type EdgeFrontend } from '../app.js';
import { type EdgeSettings, edgeFrontendSchema } from '../config.js';
import type { RuntimeScaler } from '../ports.js';
import { FakeCloud } from './fake-cloud.js';
import { type Behaviour, FakeRuntime } from './fake-runtime.js';

export interface EdgeUnderTest {
  readonly edge: EdgeFrontend;
  readonly url: string;
  readonly cloud: FakeCloud;
  readonly server: InProcessServer;
  readonly broker: Broker;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly dataDir: string;
  startRuntime(behaviour?: Behaviour, flavour?: string): Promise<FakeRuntime>;
  /** Stops the frontend and starts another one on the same store, broker and folder. */
  restart(): Promise<void>;
  /** The value of a metric, summed over its labels. */
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

export interface EdgeTestOptions {
  readonly edge?: Partial<EdgeSettings['edge']>;
  readonly definitions?: readonly FlavourDefinition[];
  readonly clock?: Clock;
  /** Wraps the broker that the frontend gets. */
  readonly wrapBroker?: (broker: Broker) => Broker;
  readonly wrapStore?: (store: Store) => Store;
  readonly cloud?: FakeCloud;
  readonly scaler?: RuntimeScaler;
  readonly logger?: Logger;
  /** Another frontend of the same cluster: the same broker and the same store, which stay open when it stops. */
  readonly share?: EdgeUnderTest;
}

export const runtimeCredential = 'credential-of-the-runtimes';

export async function startEdge(options: EdgeTestOptions = {}): Promise<EdgeUnderTest> {
  const dataDir = await mkdtemp(join(tmpdir(), 'gantry-edge-'));
  const defaults = loadConfig(edgeFrontendSchema, { argv: [], env: {} }).values;
  const config = { ...defaults, dataDir, edge: { ...defaults.edge, port: 0, ...options.edge } };
  const store =
    options.share?.store ??
    (await openStore({ url: `file:${join(dataDir, 'edge.db')}`, logger: silentLogger }));
  const server = options.share?.server ?? new InProcessServer();
  const broker = options.wrapBroker?.(server.connect()) ?? server.connect();
  const cloud = options.cloud ?? new FakeCloud();
  const runtimes: FakeRuntime[] = [];
  const compose = () => {
    const metrics = createMetrics();
    const edge = createEdgeFrontend({
      ...{
        config,
        broker,
        store: options.wrapStore?.(store) ?? store,
        cloud,
        logger: options.logger ?? silentLogger,
        metrics,
      },
      version: { name: 'edge-frontend', version: '0.0.0', commit: 'unknown' },
      runtimeCredential,
      ...(options.definitions === undefined ? {} : { definitions: options.definitions }),
      scaler: options.scaler,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    });
    return { edge, metrics, lifecycle: new Lifecycle() };
  };
  let current = compose();
  await current.lifecycle.start(current.edge.parts);
  return {
    get edge() {
      return current.edge;
    },
    get url() {
      return current.edge.url;
    },
    get metrics() {
      return current.metrics;
    },
    ...{ cloud, server, broker, store, dataDir },
    startRuntime: async (behaviour, flavour) => {
      const runtime = await FakeRuntime.start(server, flavour, behaviour);
      runtimes.push(runtime);
      return runtime;
    },
    restart: async () => {
      await current.lifecycle.stop();
      current = compose();
      await current.lifecycle.start(current.edge.parts);
    },
    metric: async (name) => {
      const { text } = await current.metrics.expose();
      const lines = text
        .split('\n')
        .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
    stop: async () => {
      await current.lifecycle.stop();
      await Promise.all(runtimes.map((runtime) => runtime.stop()));
      await broker.close();
      if (options.share === undefined) await store.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Waits for a condition, at most ten seconds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 10_000) {
  const endMs = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
