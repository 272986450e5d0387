import { hostname } from 'node:os';
import { type ConfigSchema, type ObservationSettings, observationSection } from '@gantry/config';

/** The settings of an edge agent; those of its plugins come from its bridge. */
export interface AgentSettings {
  readonly agent: {
    readonly name: string;
    readonly bridgeUrl: string;
    readonly bridgeCaFile: string;
    readonly enrolmentTokenFile: string;
    readonly dataDir: string;
    readonly labels: string;
    readonly pluginsFile: string;
    readonly connections: number;
    readonly exitsWithStdin: boolean;
  };
}

export const agentSection: ConfigSchema<AgentSettings> = {
  agent: {
    name: {
      doc: 'Name of the node, as it was enrolled; empty: the host name',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_AGENT_NAME',
      arg: 'name',
    },
    bridgeUrl: {
      doc: 'Where the bridge is',
      format: 'http-url',
      default: 'http://127.0.0.1:1341',
      env: 'GANTRY_BRIDGE_URL',
      arg: 'bridge-url',
    },
    bridgeCaFile: {
      doc: 'PEM file with the authority of the bridge, for https; empty: the system authorities',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_BRIDGE_CA_FILE',
      arg: 'bridge-ca-file',
    },
    enrolmentTokenFile: {
      doc: 'File with the enrolment token (mode 0600), or "-" for standard input; read until there is a credential in the data folder, then removed',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_NODE_ENROLMENT_TOKEN_FILE',
      arg: 'enrolment-token-file',
    },
    dataDir: {
      doc: 'Folder of the credential, of waiting events and of what plugins keep; made with mode 0700',
      format: 'optional-text',
      default: './agent-data',
      env: 'GANTRY_AGENT_DATA_DIR',
      arg: 'data-dir',
    },
    labels: {
      doc: 'What the node says it is, for selectors: "site=lab,gpu=yes"',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_AGENT_LABELS',
      arg: 'labels',
    },
    pluginsFile: {
      doc: 'YAML file with settings of plugins by name, such as the roots of files; those of the bridge go over them',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_AGENT_PLUGINS_FILE',
      arg: 'plugins-file',
    },
    connections: {
      doc: 'Connections to the bridge, 1 to 8; with two or more, bulk does not delay small requests',
      format: 'positive-int',
      default: 2,
      env: 'GANTRY_AGENT_CONNECTIONS',
      arg: 'connections',
    },
    exitsWithStdin: {
      doc: 'Whether the agent ends when its standard input does: for a parent that may be killed',
      format: Boolean,
      default: false,
      env: 'GANTRY_AGENT_EXITS_WITH_STDIN',
      arg: 'exits-with-stdin',
    },
  },
};

/** The whole schema of the process. */
export const agentSchema: ConfigSchema<AgentSettings & ObservationSettings> = {
  ...observationSection,
  ...agentSection,
};

/** A host may call itself by its full name; the node is called by the first part. */
export const nodeNameOf = ({ agent }: AgentSettings): string =>
  agent.name === '' ? hostNodeName() : agent.name;

/** The name of a node that is called after this machine. */
export const hostNodeName = (): string =>
  (hostname().split('.')[0] ?? '')
    .replaceAll(/[^A-Za-z0-9_-]/g, '-')
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '') || 'local';

/** `site=lab,gpu=yes`. @throws {Error} the rule that it breaks */
export function parseLabels(text: string): Record<string, string> {
  const pairs = text
    .split(',')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, key, value] = /^([A-Za-z0-9][A-Za-z0-9./_-]{0,62})=(.{0,256})$/.exec(pair) ?? [];
      if (key === undefined || value === undefined)
        throw new Error(`"${pair}" is no label; write name=value`);
      return [key, value];
    }),
  );
}
