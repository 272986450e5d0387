import { type BridgeSettings, bridgeSection } from '@gantry/bridge';
import { type CloudSettings, cloudSection } from '@gantry/cloud-frontend';
import {
  type BrokerSettings,
  brokerSection,
  type ConfigSchema,
  type FlavourSettings,
  flavourSection,
  type ObservationSettings,
  observationSection,
  type StorageSettings,
  storageSection,
} from '@gantry/config';
import { type EdgeSettings, edgeSection } from '@gantry/edge-frontend';
import { type RuntimeSettings, runtimeSection } from '@gantry/executor';

/** The edge agent that is started beside the platform. */
interface LocalAgentSettings {
  readonly localAgent: { readonly isEnabled: boolean; readonly name: string };
}

export type EmbeddedConfig = CloudSettings &
  BridgeSettings &
  LocalAgentSettings &
  EdgeSettings &
  RuntimeSettings &
  BrokerSettings &
  FlavourSettings &
  StorageSettings &
  ObservationSettings;

/** Runtimes inside the platform's own process cost little and open nothing: they are allowed from the start. */
const defaultMaxScaledRuntimes = 8;

const localAgentSection: ConfigSchema<LocalAgentSettings> = {
  localAgent: {
    isEnabled: {
      doc: 'Whether this machine is a node of its own bridge: an edge agent runs beside the platform',
      format: Boolean,
      default: true,
      env: 'GANTRY_LOCAL_AGENT',
      arg: 'local-agent',
    },
    name: {
      doc: 'Name of that node; empty: the host name',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_LOCAL_AGENT_NAME',
      arg: 'local-agent-name',
    },
  },
};

const { edge } = edgeSection as { edge: { maxScaledRuntimes: object } & Record<string, unknown> };
const { log, ...metrics } = observationSection as { log: { format: object } & Record<string, unknown> };

/** Everything that can be set when the whole platform is one process: the sections of its services. */
export const embeddedSchema = {
  ...storageSection,
  ...brokerSection,
  ...flavourSection,
  ...metrics,
  // People look at this one.
  log: { ...log, format: { ...log.format, default: 'text' } },
  ...cloudSection,
  edge: { ...edge, maxScaledRuntimes: { ...edge.maxScaledRuntimes, default: defaultMaxScaledRuntimes } },
  ...runtimeSection,
  ...bridgeSection,
  ...localAgentSection,
} as ConfigSchema<EmbeddedConfig>;
