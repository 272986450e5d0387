import { readFileSync } from 'node:fs';
import { ConfigError, loadServiceConfig, runService } from '@gantry/config';
import { type NodeCredential, nodeNameSchema } from '@gantry/contracts';
import { systemClock } from '@gantry/kernel';
import { createLogger, createMetrics } from '@gantry/telemetry';
import { buildEdgeAgent } from './app.js';
import { BridgeConnection } from './bridge/bridge-connection.js';
import { joinBridge } from './bridge/join-bridge.js';
import { createCallerVerifier } from './bridge/verify-statement.js';
import { agentSchema, nodeNameOf, parseLabels } from './config.js';
import { guardProcess } from './core/crash-guard.js';
import { makePrivateFolder } from './core/state-folder.js';
import { loadLocalSettings } from './local-settings.js';
import { agentPlugins } from './plugins.js';

await runService(async () => {
  const { values: config } = loadServiceConfig(agentSchema);
  const { agent: settings } = config;
  const name = nodeNameSchema.safeParse(nodeNameOf(config));
  if (!name.success)
    throw new ConfigError([`GANTRY_AGENT_NAME: ${name.error.issues[0]?.message ?? 'no name'}`]);
  const logger = createLogger({ service: 'edge-agent', ...config.log });
  const ca = settings.bridgeCaFile === '' ? undefined : readFileSync(settings.bridgeCaFile, 'utf8');
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  await makePrivateFolder(settings.dataDir);
  let credential: NodeCredential | undefined;
  const agent = buildEdgeAgent({
    node: name.data,
    version,
    labels: parseLabels(settings.labels),
    dataDir: settings.dataDir,
    plugins: agentPlugins,
    settings: loadLocalSettings(settings.pluginsFile),
    verifyCaller: createCallerVerifier(() => credential, systemClock),
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
  guardProcess(agent, logger);
  if (settings.exitsWithStdin)
    process.stdin.resume().once('close', () => process.kill(process.pid, 'SIGTERM'));
  return {
    parts: [
      ...agent.parts,
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
});
