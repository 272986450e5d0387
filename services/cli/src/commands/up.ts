import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadServiceConfig, runService } from '@gantry/config';
import type { Part } from '@gantry/kernel';
import { platformFileName } from '../connection.js';
import { buildBanner } from '../embedded/banner.js';
import { composeEmbedded, type Embedded } from '../embedded/compose.js';
import { type EmbeddedConfig, embeddedSchema } from '../embedded/config.js';
import { lockDataDir } from '../embedded/instance-lock.js';
import { fail, note, withProgress } from '../terminal.js';

/** Ctrl-C ends everything within five seconds, so no part may take longer than this; runs get three of them. */
const stopTimeoutMs = 4000;
const readyTimeoutMs = 30_000;

/** `gantry up`: the whole platform in this process, until SIGINT or SIGTERM. */
export async function up(argv: readonly string[]): Promise<void> {
  const startMs = performance.now();
  const isJson = argv.includes('--json');
  await runService(async () => {
    const config = readConfig(argv, isJson);
    const unlock = lockDataDir(config.dataDir);
    const platform = await composeEmbedded(config).catch((error: unknown) => {
      unlock();
      throw error;
    });
    const file = join(config.dataDir, platformFileName);
    return {
      stopTimeoutMs,
      parts: [
        { name: 'lock', stop: unlock },
        ...platform.parts,
        untilReady(platform),
        announcement(platform, file),
        { name: 'farewell', stop: () => note('Stopping …') },
      ],
      onStarted: () => {
        const passwordFile =
          config.cloud.adminPasswordFile || join(resolve(config.dataDir), 'admin-password');
        const password = takeUnshownPassword(config.dataDir, config.cloud.adminPasswordFile);
        announce(platform, { isJson, password, passwordFile, startMs });
      },
      onStopError: (part: string, error: unknown) =>
        platform.logger.error('a part did not stop', { part, error }),
    };
  });
}

/** Wrong settings end the process here when programs read along; people get them from `runService`, as text. */
function readConfig(argv: readonly string[], isJson: boolean): EmbeddedConfig {
  try {
    return loadServiceConfig(
      embeddedSchema,
      argv.filter((word) => word !== '--json'),
    ).values;
  } catch (error) {
    if (isJson) fail(error, { isJson });
    throw error;
  }
}

interface Announcement {
  readonly isJson: boolean;
  /** Of the first account, when nobody has seen it yet. */
  readonly password: string | undefined;
  readonly passwordFile: string;
  readonly startMs: number;
}

function announce(platform: Embedded, { isJson, password, passwordFile, startMs }: Announcement): void {
  const { bridgeUrl, cloudUrl, edgeUrl, metricsUrl } = platform;
  const urls = { cloud_url: cloudUrl, edge_url: edgeUrl, bridge_url: bridgeUrl, metrics_url: metricsUrl };
  const ready = { ...urls, node: platform.node ?? null, pid: process.pid };
  if (isJson)
    console.log(
      JSON.stringify({ ...ready, ...(password === undefined ? {} : { account: 'admin', password }) }),
    );
  else console.log(buildBanner(platform, { password, passwordFile, afterMs: performance.now() - startMs }));
}

/** The random first password, once: by the first start that got as far as this, which need not be the one that made it. */
function takeUnshownPassword(dataDir: string, givenFile: string): string | undefined {
  const file = join(dataDir, 'admin-password');
  const mark = join(dataDir, 'password-shown');
  if (givenFile !== '' || existsSync(mark) || !existsSync(file)) return undefined;
  writeFileSync(mark, '', { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

/** Where commands of the same data folder find the platform. */
function announcement(platform: Embedded, file: string): Part {
  return {
    name: 'announcement',
    start: () => {
      const { bridgeUrl, cloudUrl, edgeUrl } = platform;
      writeFileSync(file, JSON.stringify({ cloudUrl, edgeUrl, bridgeUrl }), { mode: 0o600 });
    },
    stop: () => rmSync(file, { force: true }),
  };
}

/** Ready is what the edge frontend calls ready. When that takes too long it is said, and the platform stays up. */
function untilReady(platform: Embedded): Part {
  return {
    name: 'readiness',
    start: () => withProgress('waiting for the platform to be ready', poll(platform)),
  };
}

async function poll(platform: Embedded): Promise<void> {
  const endMs = performance.now() + readyTimeoutMs;
  let reason = '';
  while (performance.now() < endMs) {
    const answer = await fetch(`${platform.edgeUrl}/readyz`, { signal: AbortSignal.timeout(5000) }).catch(
      () => undefined,
    );
    if (answer?.status === 200) return;
    reason = (await answer?.text()) ?? 'the edge frontend does not answer';
    await new Promise((wake) => setTimeout(wake, 50));
  }
  note(`Not ready after ${readyTimeoutMs / 1000} s: ${reason}`);
}
