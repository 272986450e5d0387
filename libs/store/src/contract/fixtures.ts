import { createHash } from 'node:crypto';
import type { Principal, Requirement } from '@gantry/contracts';
import { type Clock, silentLogger } from '@gantry/kernel';
import { afterEach, beforeEach } from '@jest/globals';
import { openStore, type StoreOptions } from '../open-store.js';
import type { Account, Execution, ExecutionOutcome, NewFunction, Store } from '../ports.js';

/** What the contract suite needs of a database server or a folder. */
export interface StoreContractHarness {
  /** Makes an empty database; answers its URL. The caller of the suite removes it after all tests. */
  createDatabase(): Promise<string>;
}

/** A noon in the past: the stores take every time from their callers, but `ownerOf`, which uses the clock. */
export const now = Date.UTC(2025, 0, 15, 12);

export interface OpenedStore {
  readonly store: Store;
  readonly url: string;
  readonly clock: Clock & { nowMs: number };
  /** Another connection to the same database, as another process would have. */
  openAnother(options?: Partial<StoreOptions>): Promise<Store>;
}

/** A fresh database and a store on it for each test of the surrounding block. */
export function useStore(harness: StoreContractHarness): () => OpenedStore {
  let opened: OpenedStore | undefined;
  let stores: Store[] = [];
  beforeEach(async () => {
    const url = await harness.createDatabase();
    const clock = { nowMs: now, now: () => clock.nowMs, monotonicMs: () => performance.now() };
    const openAnother = async (options: Partial<StoreOptions> = {}) => {
      const store = await openStore({ url, logger: silentLogger, clock, poolSize: 4, ...options });
      stores.push(store);
      return store;
    };
    opened = { store: await openAnother(), url, clock, openAnother };
  });
  afterEach(async () => {
    const closing = stores;
    stores = [];
    await Promise.all(closing.map((store) => store.close()));
  });
  return () => {
    if (opened === undefined) throw new Error('the store is opened before each test');
    return opened;
  };
}

export const alice: Principal = { user: 'alice', org: undefined, role: 'user' };
export const bob: Principal = { user: 'bob', org: 'acme', role: 'user' };
export const root: Principal = { user: 'root', org: undefined, role: 'administrator' };

export const plenty = { functions: 1000, bytes: 1_000_000 };

export const anAccount = (name: string, changes: Partial<Account> = {}): Account => ({
  name,
  role: 'user',
  org: undefined,
  passwordHash: '$argon2id$x',
  createdAtMs: now,
  quotaFunctions: 100,
  quotaFunctionBytes: 1_000_000,
  ...changes,
});

export const aFunction = (code: string, changes: Partial<NewFunction> = {}): NewFunction => ({
  owner: 'alice',
  name: 'greet',
  language: 'JS',
  clientHash: 'client-hash',
  sha256: createHash('sha256').update(code).digest('hex'),
  code: Buffer.from(code),
  createdAtMs: now,
  ...changes,
});

export const aRequirement = (changes: Partial<Requirement> = {}): Requirement => ({
  flavour: 'Nature',
  maxLatencyMs: 10,
  maxRunMs: undefined,
  minRenewablePercent: 80,
  geolocation: { latitude: 45.5, longitude: -3.25 },
  deviceId: undefined,
  isConfidential: false,
  providers: ['one', 'two'],
  ...changes,
});

export const anExecution = (id: string, changes: Partial<Execution> = {}): Execution => ({
  id,
  owner: 'alice',
  mode: 'async',
  status: 'queued',
  functionId: 1,
  requirementId: 2,
  functionSha256: 'ab'.repeat(32),
  language: 'JS',
  flavour: 'Nature',
  attempt: 0,
  retCode: undefined,
  res: undefined,
  err: undefined,
  createdAtMs: now,
  startedAtMs: undefined,
  finishedAtMs: undefined,
  expiresAtMs: now + 10_000,
  queueMs: 10_000,
  runMs: 5000,
  runtimeId: undefined,
  progressPerMille: undefined,
  traceparent: undefined,
  ...changes,
});

export const anOutcome = (changes: Partial<ExecutionOutcome> = {}): ExecutionOutcome => ({
  status: 'succeeded',
  retCode: 0,
  res: 'NDI=',
  err: undefined,
  startedAtMs: now + 10,
  finishedAtMs: now + 20,
  logs: 'hello\n',
  ...changes,
});

export const aLease = (id: string, changes: Partial<LeaseRequest> = {}): LeaseRequest => ({
  id,
  runtimeId: 'runtime1',
  redelivered: false,
  maxAttempts: 3,
  nowMs: now + 5,
  ...changes,
});
export type LeaseRequest = Parameters<Store['executions']['leaseStart']>[0];

export const parameters = new Uint8Array([91, 93, 0, 255]);
