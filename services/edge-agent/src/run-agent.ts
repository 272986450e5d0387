import { readFileSync } from 'node:fs';
import { ConfigError, loadServiceConfig, type RunningService, runService } from '@gantry/config';
import { type NodeCredential, nodeNameSchema } from '@gantry/contracts';
import { systemClock } from '@gantry/kernel';
import { createLogger, createMetrics } from '@gantry/telemetry';
import { statusPathIn, toStatus } from './agent-status.js';
import { buildEdgeAgent } from './app.js';
import { BridgeConnection } from './bridge/bridge-connection.js';
import { writeCredential } from './bridge/credential-file.js';
import { joinBridge } from './bridge/join-bridge.js';
import { createCallerVerifier } from './bridge/verify-statement.js';
import { agentSchema, nodeNameOf, parseLabels } from './config.js';
import { guardProcess } from './core/crash-guard.js';
import { Watchdog } from './core/watchdog.js';
import { makeDataFolder } from './data-folder.js';
import { loadLocalSettings } from './local-settings.js';
import { agentPlugins } from './plugins.js';
import { StatusFile } from './status-file.js';

/**
 * The agent of this machine, in the foreground until SIGINT or SIGTERM.
 * @param argv its flags, as {@link agentSchema} has them
 */
export async function runAgent(argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  await runService(() => compose(argv));
}

async function compose(argv: readonly string[]): Promise<RunningService> {
  const { values: config } = loadServiceConfig(agentSchema, [...argv]);
  const { agent: settings } = config;
  const name = nodeNameSchema.safeParse(nodeNameOf(config));
  if (!name.success)
    throw new ConfigError([`GANTRY_AGENT_NAME: ${name.error.issues[0]?.message ?? 'no name'}`]);
  const logger = createLogger({ service: 'edge-agent', ...config.log });
  const ca = settings.bridgeCaFile === '' ? undefined : readFileSync(settings.bridgeCaFile, 'utf8');
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  await makeDataFolder(settings.dataDir);
  let credential: NodeCredential | undefined;
  const agent = buildEdgeAgent({
    node: name.data,
    version,
    labels: parseLabels(settings.labels),
    dataDir: settings.dataDir,
    plugins: agentPlugins,
    settings: loadLocalSettings(settings.pluginsFile),
    verifyCaller: createCallerVerifier(() => credential, systemClock),
    learnKeys: async (keys) => {
      if (credential === undefined) return;
      const next = { ...credential, bridge_keys: keys };
      // Kept first: an agent that starts again must know what the bridge signs with by then.
      await writeCredential(settings.dataDir, next);
      credential = next;
      logger.info('the bridge signs with another key', { op: 'keys.learn', ids: keys.map(({ id }) => id) });
    },
    logger,
    metrics: createMetrics(),
  });
  const { bridgeUrl, connections } = settings;
  const bridge = new BridgeConnection({
    ...{ bridgeUrl, ca, connections, logger },
    credential: () => credential,
    handler: (request, response) => agent.handler(request, response),
  });
  // The wait for a bridge that is away ends with the process.
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  const status = new StatusFile({
    path: statusPathIn(settings.dataDir),
    read: () => {
      const { isConnected, whyNotConnected } = bridge;
      return toStatus(agent.info(), { url: bridgeUrl, isConnected, whyNotConnected });
    },
    logger,
  });
  guardProcess(agent, logger);
  if (settings.exitsWithStdin && settings.enrolmentTokenFile === '-')
    throw new ConfigError(['GANTRY_AGENT_EXITS_WITH_STDIN: not with an enrolment token on standard input']);
  if (settings.exitsWithStdin)
    process.stdin.resume().once('close', () => process.kill(process.pid, 'SIGTERM'));
  return {
    parts: [
      new Watchdog(),
      ...agent.parts,
      status,
      {
        name: 'credential',
        start: async () => {
          const join = {
            name: name.data,
            bridgeUrl,
            ca,
            dataDir: settings.dataDir,
            logger,
            signal: stopping.signal,
          };
          credential = await joinBridge({ ...join, enrolmentTokenFile: settings.enrolmentTokenFile });
        },
      },
      bridge,
    ],
    onStarted: () => logger.info('started', { op: 'service.start', node: name.data, bridgeUrl }),
    onStopError: (part, error) => logger.error('a part did not stop', { part, error }),
  };
}
