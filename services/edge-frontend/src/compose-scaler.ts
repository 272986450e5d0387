import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type BrokerSettings,
  inheritedEnvironment,
  readEnvironment,
  type StorageSettings,
} from '@gantry/config';
import { localFleet } from './adapters/local-processes/local-fleet.js';
import type { RuntimeLaunch, SecretSource } from './adapters/local-processes/runtime-launch.js';
import { RuntimeProcesses } from './adapters/local-processes/runtime-processes.js';
import type { EdgeSettings } from './config.js';
import type { RuntimeScaler } from './ports.js';
import { FleetScaler } from './usecases/fleet-scaler.js';

/** The runtime of this checkout. */
export const runtimeProgram = fileURLToPath(
  new URL('../../../runtime/executor/dist/main.js', import.meta.url),
);

/** Beyond the longest run: its result has to be handed on. */
const handOnSeconds = 5;

/** Where the runtime processes of a data folder are kept. */
export const runtimeFolderOf = (dataDir: string): string => join(dataDir, 'runtimes');

/** A drain that loses nothing lasts as long as the longest run. */
export const drainSecondsOf = ({ edge }: EdgeSettings): number => edge.maxRunSeconds + handOnSeconds;

/**
 * The scaler of an edge frontend of its own process; undefined where it may start no runtimes.
 * @param url of the edge frontend, asked when a runtime is started
 */
export function buildLocalScaler(
  config: EdgeSettings & StorageSettings & BrokerSettings,
  url: () => string,
): RuntimeScaler | undefined {
  const { broker, dataDir, edge } = config;
  if (edge.maxScaledRuntimes === 0) return undefined;
  const launch: RuntimeLaunch = {
    program: runtimeProgram,
    configFile: edge.runtimeConfigFile,
    environment: inheritedEnvironment(),
    brokerUrl: secretOf('GANTRY_BROKER_URL', broker.url),
    credential: { file: edge.runtimeCredentialFile },
    edgeUrl: () => toLoopback(url()),
    drainSeconds: drainSecondsOf(config),
  };
  const processes = new RuntimeProcesses(runtimeFolderOf(dataDir));
  return new FleetScaler(localFleet({ processes, launch, maxRuntimes: edge.maxScaledRuntimes }));
}

/** The file that a secret came from, or its value when it came another way. */
export function secretOf(variable: string, value: string): SecretSource {
  const file = readEnvironment(`${variable}_FILE`);
  try {
    if (file !== undefined && readFileSync(file, 'utf8').trim() === value) return { file };
  } catch {
    // It was readable when this process started; what it held is known.
  }
  return { value };
}

/** An address that listens everywhere cannot be called everywhere. */
function toLoopback(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}
