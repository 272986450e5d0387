/** A cloud frontend on a free port with a store in a temporary folder, and a client that checks every answer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@gantry/config';
import { cloudApi, type ProblemCode, problemSchema, type RouteContract } from '@gantry/contracts';
import { type Clock, Lifecycle, silentLogger, systemClock } from '@gantry/kernel';
import { openStore, type Store } from '@gantry/store';
import { createMetrics } from '@gantry/telemetry';
import { type CloudFrontend, type CloudFrontendOptions, createCloudFrontend } from './app.js';
import { type CloudSettings, cloudFrontendSchema } from './config.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // The shape depends on the route; the contract has checked it.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly json: any;
}

interface CallOptions {
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent without a Content-Type, as the clients of the protocol do. */
  readonly body?: unknown;
}

export interface TestCloud {
  readonly url: string;
  readonly folder: string;
  readonly cloud: CloudFrontend;
  readonly store: Store;
  readonly metrics: ReturnType<typeof createMetrics>;
  /** Calls a route and checks that the answer is one that its contract declares. */
  call(name: keyof typeof cloudApi, options?: CallOptions): Promise<Answer>;
  signIn(name: string, password: string): Promise<Answer>;
  /** A token of the first account. */
  adminToken(): Promise<string>;
  /** Creates an account and answers its token. */
  newUser(name: string, account?: Readonly<Record<string, unknown>> & { password?: string }): Promise<string>;
  stop(): Promise<void>;
}

export interface TestCloudOptions {
  readonly settings?: Partial<CloudSettings['cloud']>;
  readonly clock?: Clock;
  readonly hasher?: CloudFrontendOptions['hasher'];
  readonly logger?: CloudFrontendOptions['logger'];
  /** Of another test cloud, to share its store. */
  readonly folder?: string;
  /** Stands between the frontend and the store. */
  readonly wrapStore?: (store: Store) => Store;
}

/** What the service uses unless a test gives another. */
export { argon2Hasher } from './adapters/argon2/argon2-hasher.js';

export const userPassword = 'correct horse battery';

export async function startCloud(options: TestCloudOptions = {}): Promise<TestCloud> {
  const folder = options.folder ?? join(mkdtempSync(join(tmpdir(), 'gantry-cloud-')), 'data');
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const store = await openStore({ url: `file:${folder}/gantry.db`, logger: silentLogger, clock });
  const { values } = loadConfig(cloudFrontendSchema, { argv: [], env: {} });
  const config = { dataDir: folder, cloud: { ...values.cloud, port: 0, ...options.settings } };
  const metrics = createMetrics();
  const version = { name: 'cloud-frontend', version: '0.0.0', commit: 'test' };
  const cloud = createCloudFrontend({
    config,
    store: options.wrapStore?.(store) ?? store,
    logger,
    metrics,
    version,
    clock,
    ...(options.hasher === undefined ? {} : { hasher: options.hasher }),
  });
  const lifecycle = new Lifecycle();
  const stop = async () => {
    await lifecycle.stop();
    await store.close();
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
  };
  await lifecycle.start(cloud.parts).catch(async (error: unknown) => {
    await stop();
    throw error;
  });

  const call = (name: keyof typeof cloudApi, request?: CallOptions) =>
    callRoute(cloud.url, cloudApi[name], request);
  const signIn = (name: string, password: string) =>
    call('authenticate', {
      headers: { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` },
    });
  const tokenOf = async (name: string, password: string): Promise<string> => {
    const { status, json } = await signIn(name, password);
    if (status !== 201) throw new Error(`${name} cannot sign in: ${JSON.stringify(json)}`);
    return json;
  };
  let admin: { token: string; sinceMs: number } | undefined;
  const readAdminToken = async () => {
    // Tests move the clock by days.
    if (admin === undefined || clock.now() - admin.sinceMs > 3_600_000)
      admin = { token: await tokenOf('admin', cloud.firstAccount?.password ?? ''), sinceMs: clock.now() };
    return admin.token;
  };
  return {
    url: cloud.url,
    ...{ folder, cloud, store, metrics, call, signIn, stop },
    adminToken: readAdminToken,
    newUser: async (name, account = {}) => {
      const body = { name, password: userPassword, ...account };
      const { status, text } = await call('createAccount', { token: await readAdminToken(), body });
      if (status !== 201) throw new Error(`${name} cannot be created: ${text}`);
      return tokenOf(name, body.password);
    },
  };
}

async function callRoute(url: string, contract: RouteContract, options: CallOptions = {}): Promise<Answer> {
  const path = contract.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
    encodeURIComponent(String(options.params?.[name])),
  );
  const query = new URLSearchParams(
    Object.entries(options.query ?? {}).map(([key, value]): [string, string] => [key, String(value)]),
  ).toString();
  const response = await fetch(`${url}${path}${query === '' ? '' : `?${query}`}`, {
    method: contract.method.toUpperCase(),
    headers: { ...(options.token === undefined ? {} : { token: options.token }), ...options.headers },
    ...(options.body === undefined ? {} : { body: toBytes(options.body) }),
  });
  const text = await response.text();
  return checked(contract, {
    status: response.status,
    headers: response.headers,
    text,
    json: toJson(response, text),
  });
}

const toBytes = (body: unknown): Buffer =>
  Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));

const toJson = (response: Response, text: string): unknown =>
  response.headers.get('content-type')?.includes('json') === true ? JSON.parse(text) : undefined;

function checked(contract: RouteContract, answer: Answer): Answer {
  if (answer.status >= 400) {
    problemSchema.parse(answer.json);
    return answer;
  }
  const declared = contract.responses[answer.status];
  if (declared === undefined) throw new Error(`${contract.path} answered an undeclared ${answer.status}`);
  if (declared.schema === undefined) {
    if (answer.text !== '') throw new Error(`${contract.path} answered a body with ${answer.status}`);
  } else if (declared.contentType === undefined) declared.schema.parse(answer.json);
  return answer;
}

/** Status and code of a problem, to compare both at once. */
export const problemOf = ({ status, json }: Answer): readonly [number, ProblemCode] => [status, json.code];

export const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A clock that a test moves. */
export function movableClock(): Clock & { advance(ms: number): void } {
  let offsetMs = 0;
  return {
    now: () => Date.now() + offsetMs,
    monotonicMs: () => performance.now() + offsetMs,
    advance: (ms) => {
      offsetMs += ms;
    },
  };
}
