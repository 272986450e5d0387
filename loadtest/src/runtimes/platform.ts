/** The distributed platform with one runtime for each flavour that is measured. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GantryClient } from '@gantry/client';
import type { Language } from '@gantry/contracts';
import { type Distributed, startDistributed } from '@gantry/test/support/distributed.js';
import { startPostgres } from '@gantry/test/support/postgres.js';
import type { Running } from '@gantry/test/support/processes.js';
import { startRabbitMq } from '@gantry/test/support/rabbitmq.js';

export const measuredLevels = ['sandbox', 'process'] as const;
export type MeasuredLevel = (typeof measuredLevels)[number];

export const flavourNameOf = (language: Language, level: MeasuredLevel): string => `${language}-${level}`;

export interface MeasuredPlatform {
  readonly platform: Distributed;
  readonly client: GantryClient;
  /** Starts a runtime and says how long it took until it took executions. */
  startRuntime(flavour: string): Promise<{ readonly runtime: Running; readonly readyMs: number }>;
  /** A client of an account that is made for it. */
  newOwner(): Promise<GantryClient>;
  stop(): Promise<void>;
}

const startWithinMs = 30_000;

/** Waits for the line that says so; by its arrival, because a look from time to time is too coarse. */
function untilItTakes(runtime: Running, flavour: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`no runtime of ${flavour}: ${runtime.output()}`)),
      startWithinMs,
    );
    runtime.child.stderr?.on('data', () => {
      if (!runtime.output().includes('runtime takes executions')) return;
      clearTimeout(late);
      resolve();
    });
  });
}

/** Brings up RabbitMQ, PostgreSQL, both frontends, and a flavour for each language and level. No runtime yet. */
export async function startMeasuredPlatform(languages: readonly Language[]): Promise<MeasuredPlatform> {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-bench-'));
  const flavoursDir = join(folder, 'flavours');
  mkdirSync(flavoursDir);
  const flavours = languages.flatMap((language) =>
    measuredLevels.map((level) => {
      const name = flavourNameOf(language, level);
      const yaml = `name: ${name}\nlanguages: [${language}]\nisolation: ${level}\n`;
      writeFileSync(join(flavoursDir, `${name}.yaml`), yaml);
      return name;
    }),
  );
  const stops: (() => Promise<unknown>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (let one = stops.pop(); one !== undefined; one = stops.pop()) await one();
  };
  try {
    const rabbit = await startRabbitMq();
    stops.push(() => rabbit.stop());
    const postgres = await startPostgres();
    stops.push(() => postgres.stop());
    const shared = { GANTRY_FLAVOURS_DIR: flavoursDir };
    const edgeEnv = { ...shared, GANTRY_FLAVOURS: [...flavours, 'Nature'].join(',') };
    const storeUrl = await postgres.createDatabase();
    const platform = await startDistributed(rabbit.url, storeUrl, edgeEnv, { waitReady: false });
    stops.push(() => platform.stop());
    const { cloudUrl, adminPassword } = platform;
    const client = new GantryClient({ cloudUrl, credentials: { name: 'admin', password: adminPassword } });
    let owners = 0;
    return {
      platform,
      client,
      startRuntime: async (flavour) => {
        const startedMs = performance.now();
        const runtime = platform.startRuntime(flavour, { ...shared, GANTRY_LOG_LEVEL: 'info' });
        await untilItTakes(runtime, flavour);
        return { runtime, readyMs: performance.now() - startedMs };
      },
      newOwner: async () => {
        owners += 1;
        const account = { name: `owner-${owners}`, password: `password-${owners}-${adminPassword}` };
        await client.createAccount(account);
        return new GantryClient({ cloudUrl, credentials: account });
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
