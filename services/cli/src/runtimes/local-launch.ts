/** What `gantry runtime` starts processes with: the settings of a runtime, read as the runtime itself reads them. */
import { ConfigError, inheritedEnvironment, loadServiceConfig, readEnvironment } from '@gantry/config';
import { flavourNameSchema } from '@gantry/contracts';
import {
  type RuntimeLaunch,
  RuntimeProcesses,
  runtimeFolderOf,
  runtimeProgram,
  secretOf,
} from '@gantry/edge-frontend';
import { runtimeSchema } from '@gantry/executor';
import { UsageError } from '../commands/usage-error.js';
import { dataDirOf, type GlobalOptions } from '../connection.js';

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
  if (settings.credential === '')
    throw new UsageError(
      'a runtime fetches code with a credential: set GANTRY_RUNTIME_CREDENTIAL_FILE to the file that the edge frontend has too',
    );
  const { edgeUrl } = options;
  return {
    program: runtimeProgram,
    configFile,
    environment: {
      ...inheritedEnvironment(),
      ...(edgeUrl === undefined ? {} : { GANTRY_EDGE_URLS: edgeUrl }),
    },
    brokerUrl: secretOf('GANTRY_BROKER_URL', settings.broker.url),
    credential: secretOf('GANTRY_RUNTIME_CREDENTIAL', settings.credential),
    edgeUrl: () => undefined,
    drainSeconds,
  };
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

const nothingToJoin = (flavour: string): UsageError =>
  new UsageError(
    'the broker is "in-process:", which is inside the embedded platform: a process of its own has nothing to join. ' +
      `The platform starts more runtimes itself: "gantry runtime scale ${flavour} 2". For runtimes as processes, ` +
      'give the platform and this command a RabbitMQ, with GANTRY_BROKER_URL_FILE.',
  );
