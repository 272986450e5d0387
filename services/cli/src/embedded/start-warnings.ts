/** What looks like a mistake and stops nothing: said at the start, in the log and to the person who reads along. */
import { ownVariables, variablesOf } from '@gantry/config';
import type { FlavourDefinition } from '@gantry/contracts';
import { runtimeSchema } from '@gantry/executor';
import { nearestName } from '@gantry/kernel';
import { type EmbeddedConfig, embeddedSchema } from './config.js';

/** Variables of commands and of the agent, which are set beside those of the platform. */
const variablesOfOthers = [
  ...['GANTRY_EDGE_URL', 'GANTRY_BRIDGE_URL', 'GANTRY_CONFIG_FILE', 'GANTRY_PASSWORD_FILE', 'GANTRY_CA_FILE'],
  ...['GANTRY_AGENT_NAME', 'GANTRY_AGENT_LABELS', 'GANTRY_AGENT_DATA_DIR', 'GANTRY_AGENT_CONNECTIONS'],
  ...['GANTRY_NODE_ENROLMENT_TOKEN_FILE', 'GANTRY_AGENT_PLUGINS_FILE', 'GANTRY_BRIDGE_CA_FILE'],
];

/** In the order of how much they matter. */
export const startWarnings = (
  config: Pick<EmbeddedConfig, 'edge' | 'flavoursDir'>,
  definitions: readonly Pick<FlavourDefinition, 'name'>[],
  variables: readonly string[] = ownVariables(),
): string[] => [...aboutFlavours(config, definitions), ...aboutVariables(variables)];

function aboutFlavours(
  { edge, flavoursDir }: Pick<EmbeddedConfig, 'edge' | 'flavoursDir'>,
  definitions: readonly Pick<FlavourDefinition, 'name'>[],
): string[] {
  const defined = definitions.map(({ name }) => name);
  const folder = flavoursDir === '' ? 'config/flavours' : flavoursDir;
  return edge.flavours
    .filter((name) => !defined.includes(name))
    .map((name) => {
      const near = nearestName(name, defined);
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      return `flavour "${name}" has no file in ${folder} and gets the built-in defaults${hint}`;
    });
}

function aboutVariables(variables: readonly string[]): string[] {
  const settings = [...variablesOf(embeddedSchema), ...variablesOf(runtimeSchema), ...variablesOfOthers];
  const known = new Set(settings.flatMap((name) => [name, `${name}_FILE`]));
  return variables.flatMap((name) => {
    const near = nearestName(name, known);
    return near === undefined ? [] : [`the variable ${name} is ignored; did you mean ${near}?`];
  });
}
