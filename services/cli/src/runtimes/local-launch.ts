/** What `gantry runtime` starts processes with: the settings of a runtime, read as the runtime itself reads them. */
import { existsSync } from 'node:fs';
import {
  ConfigError,
  type FlavourSettings,
  inheritedEnvironment,
  loadFlavours,
  loadServiceConfig,
  readEnvironment,
} from '@gantry/config';
import { flavourNameSchema } from '@gantry/contracts';
import {
  type RuntimeLaunch,
  RuntimeProcesses,
  runtimeCredentialFileOf,
  runtimeFolderOf,
  runtimeProgram,
  secretOf,
} from '@gantry/edge-frontend';
import { runtimeSchema } from '@gantry/executor';
import { nearestName } from '@gantry/kernel';
import { UsageError } from '../commands/usage-error.js';
import { dataDirOf, defaultUrls, type GlobalOptions, runningPlatform } from '../connection.js';

export interface LaunchOptions extends GlobalOptions {
  /** YAML file with settings of the runtime. */
  readonly config?: string;
}

/** The longest run that an edge frontend grants by default, and the time to hand its result on: such a drain loses nothing. */
const drainSeconds = 905;

/** The runtime processes of the data folder. */
export const localProcesses = (options: GlobalOptions): RuntimeProcesses =>
  new RuntimeProcesses(runtimeFolderOf(dataDirOf(options)));

/** Whether the settings name a broker that a process of its own can join. */
export const hasOwnBroker = (options: LaunchOptions): boolean =>
  load(configFileOf(options)).broker.url.startsWith('amqp');

/**
 * How runtimes are started on this machine.
 * @throws {UsageError} when there is nothing to join, or a setting is missing or wrong
 */
export function localLaunch(options: LaunchOptions, flavour: string): RuntimeLaunch {
  const name = flavourNameSchema.safeParse(flavour);
  if (!name.success) throw new UsageError(`"${flavour}" is no flavour: ${name.error.issues[0]?.message}`);
  const configFile = configFileOf(options);
  const settings = load(configFile);
  if (!settings.broker.url.startsWith('amqp')) throw nothingToJoin(flavour);
  const declared = new Set([...definedFlavours(settings), ...settings.flavours]);
  if (!declared.has(flavour)) throw undeclared(flavour, [...declared]);
  const ownCredentialFile = runtimeCredentialFileOf(dataDirOf(options));
  if (settings.credential === '' && !existsSync(ownCredentialFile))
    throw new UsageError(
      'a runtime fetches code with a credential: set GANTRY_RUNTIME_CREDENTIAL_FILE to the file that the edge ' +
        `frontend has too, or --data-dir to the data folder of the platform (now ${dataDirOf(options)})`,
    );
  return {
    program: runtimeProgram,
    configFile,
    environment: {
      ...inheritedEnvironment(),
      GANTRY_EDGE_URLS: edgeUrlsOf(options, settings.edgeUrls),
    },
    brokerUrl: secretOf('GANTRY_BROKER_URL', settings.broker.url),
    credential:
      settings.credential === ''
        ? { file: ownCredentialFile }
        : secretOf('GANTRY_RUNTIME_CREDENTIAL', settings.credential),
    edgeUrl: () => undefined,
    drainSeconds,
  };
}

/**
 * Where the code of functions is: flag, then environment and settings, then the platform of the data folder. The value
 * that a runtime has by default says nothing about this machine.
 */
function edgeUrlsOf({ edgeUrl, ...options }: LaunchOptions, configured: readonly string[]): string {
  if (edgeUrl !== undefined) return edgeUrl;
  const isChosen = readEnvironment('GANTRY_EDGE_URLS') !== undefined;
  if (isChosen || configured.join() !== defaultUrls.edgeUrl) return configured.join();
  const port = readEnvironment('GANTRY_EDGE_PORT');
  return (
    readEnvironment('GANTRY_EDGE_URL') ??
    runningPlatform(dataDirOf(options))?.edgeUrl ??
    (port === undefined || port === '0' ? defaultUrls.edgeUrl : `http://127.0.0.1:${port}`)
  );
}

const configFileOf = (options: LaunchOptions): string =>
  options.config ?? readEnvironment('GANTRY_CONFIG_FILE') ?? '';

function load(configFile: string) {
  try {
    return loadServiceConfig(runtimeSchema, configFile === '' ? [] : ['--config', configFile]).values;
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message);
    throw error;
  }
}

function definedFlavours(settings: FlavourSettings): string[] {
  try {
    return loadFlavours(settings).map(({ name }) => name);
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message);
    throw error;
  }
}

function undeclared(flavour: string, declared: readonly string[]): UsageError {
  const near = nearestName(flavour, declared);
  return new UsageError(
    `nobody declares the flavour "${flavour}"${near === undefined ? '' : `; did you mean ${near}?`} There are: ` +
      `${declared.join(', ')}. One of its own is a file in the folder of flavours (GANTRY_FLAVOURS_DIR, else ` +
      'config/flavours), or a name in GANTRY_FLAVOURS',
  );
}

const nothingToJoin = (flavour: string): UsageError =>
  new UsageError(
    'the broker is "in-process:", which is inside the embedded platform: a process of its own has nothing to join. ' +
      `The platform starts more runtimes itself: "gantry runtime scale ${flavour} 2". For runtimes as processes, ` +
      'give the platform and this command a RabbitMQ, with GANTRY_BROKER_URL_FILE.',
  );
