/** The embedded platform as a process, as `npm start` runs it, on free ports and a temporary data folder. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Running, root, startNode, until } from './processes.js';

export interface Platform extends Running {
  readonly dataDir: string;
  readonly cloudUrl: string;
  readonly edgeUrl: string;
  readonly bridgeUrl: string;
  readonly metricsUrl: string;
  readonly adminPassword: string;
  /** The environment it was started with, for the command line and for a second start. */
  readonly env: Readonly<Record<string, string>>;
}

export const newDataDir = (): string => join(mkdtempSync(join(tmpdir(), 'gantry-test-')), 'data');

/** The environment of a platform that takes any free port; without an agent, which most tests have no use for. */
export const freePorts = (dataDir: string): Record<string, string> => ({
  GANTRY_DATA_DIR: dataDir,
  GANTRY_CLOUD_PORT: '0',
  GANTRY_EDGE_PORT: '0',
  GANTRY_BRIDGE_PORT: '0',
  GANTRY_LOCAL_AGENT: 'false',
});

export const gantry = join(root, 'services', 'cli', 'bin', 'gantry.mjs');

/** Starts the platform and waits until it is ready. */
export async function startPlatform(
  env: Record<string, string> = {},
  dataDir = newDataDir(),
): Promise<Platform> {
  const allEnv = { ...freePorts(dataDir), ...env };
  const running = startNode(gantry, ['up', '--json'], allEnv);
  let end: number | string | undefined;
  void running.ended.then((code) => {
    end = code;
  });
  const line = await until(
    'the platform to be ready',
    () => {
      if (end !== undefined) throw new Error(`the platform ended with ${end}:\n${running.output()}`);
      return running
        .stdout()
        .split('\n')
        .find((one) => one.includes('"cloud_url"'));
    },
    60_000,
  );
  const ready = JSON.parse(line) as Record<'cloud_url' | 'edge_url' | 'bridge_url' | 'metrics_url', string>;
  const passwordFile = env['GANTRY_ADMIN_PASSWORD_FILE'] ?? join(dataDir, 'admin-password');
  return {
    ...running,
    dataDir,
    cloudUrl: ready.cloud_url,
    edgeUrl: ready.edge_url,
    bridgeUrl: ready.bridge_url,
    metricsUrl: ready.metrics_url,
    adminPassword: readFileSync(passwordFile, 'utf8').trim(),
    env: { ...allEnv, GANTRY_CLOUD_URL: ready.cloud_url },
  };
}
