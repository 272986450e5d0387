import { bridgeSchema } from '@gantry/bridge';
import { cloudFrontendSchema } from '@gantry/cloud-frontend';
import { type ConfigSchema, loadServiceConfig } from '@gantry/config';
import { agentSchema } from '@gantry/edge-agent/config';
import { edgeFrontendSchema } from '@gantry/edge-frontend';
import { runtimeSchema } from '@gantry/executor';
import type { Command } from 'commander';
import { embeddedSchema } from '../embedded/config.js';
import { UsageError } from './usage-error.js';

/** The schema of each process that reads a configuration. */
export const schemas: Readonly<Record<string, ConfigSchema<unknown>>> = {
  embedded: embeddedSchema,
  'cloud-frontend': cloudFrontendSchema,
  'edge-frontend': edgeFrontendSchema,
  runtime: runtimeSchema,
  bridge: bridgeSchema,
  'edge-agent': agentSchema,
};

/** `gantry config print`: the configuration in force, without secrets, and all that is wrong with it. */
export function addConfig(program: Command): void {
  const config = program.command('config').description('Configuration');
  config
    .command('print')
    .description('Print the configuration that a process would start with, without secrets')
    .option('--shape <shape>', Object.keys(schemas).join(', '), 'embedded')
    .option('--config <file>', 'YAML file')
    .action(({ shape, config: file }: { shape: string; config?: string }) => {
      const schema = schemas[shape];
      if (schema === undefined)
        throw new UsageError(`there is no shape "${shape}"; use ${Object.keys(schemas).join(', ')}`);
      const argv = file === undefined ? [] : ['--config', file];
      console.log(loadServiceConfig(schema, argv).redacted);
    });
}
