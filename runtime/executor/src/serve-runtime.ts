import { ConfigError, isProduction, loadFlavours, loadServiceConfig, runService } from '@gantry/config';
import { newProcessId } from '@gantry/kernel';
import { type RuntimeProcessSettings, runtimeSchema, toRuntimeOptions } from './config.js';
import { defaultRuntimeOptions, type RuntimeOptions } from './runtime-options.js';
import { beginExecutors } from './starting-executors.js';

function readSettings(): { settings: RuntimeProcessSettings; options: RuntimeOptions } {
  const { values: settings } = loadServiceConfig(runtimeSchema);
  if (!settings.broker.url.startsWith('amqp')) {
    throw new ConfigError(['broker.url: a runtime of its own process needs amqp://… or amqps://…']);
  }
  if (settings.credential === '') throw new ConfigError(['credential: set GANTRY_RUNTIME_CREDENTIAL_FILE']);
  const options: RuntimeOptions = {
    ...defaultRuntimeOptions,
    ...toRuntimeOptions(settings),
    flavours: settings.flavours,
    definitions: loadFlavours(settings),
    isProduction: isProduction(),
    runtimeId: newProcessId('r'),
    topology: { replicated: settings.broker.isCluster },
  };
  return { settings, options };
}

/** A runtime as a process of its own: until it is told to stop. */
export const serveRuntime = (): Promise<void> =>
  runService(async () => {
    const { settings, options } = readSettings();
    const starting = beginExecutors(options);
    try {
      // Loaded while the executor processes start: what this file imports is what they wait for.
      await starting.spawned;
      const { composeRuntime } = await import('./compose-runtime.js');
      return await composeRuntime(settings, options, starting);
    } catch (error) {
      await starting.executors.then((executors) => executors.stop()).catch(() => undefined);
      throw error;
    }
  });
