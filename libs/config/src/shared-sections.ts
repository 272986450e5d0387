import type { ConfigSchema } from './load-config.js';

/** Settings that more than one service has; each schema spreads the sections that it needs. */
export interface StorageSettings {
  readonly dataDir: string;
  /** `url` empty: a libsql file in `dataDir`. */
  readonly store: { readonly url: string };
}
export interface BrokerSettings {
  readonly broker: { readonly url: string; readonly caFile: string; readonly isCluster: boolean };
}
export interface FlavourSettings {
  readonly flavoursDir: string;
}
export interface ObservationSettings {
  readonly metrics: { readonly host: string; readonly port: number };
  readonly log: { readonly level: 'error' | 'warn' | 'info' | 'debug'; readonly format: 'json' | 'text' };
}

export const storageSection: ConfigSchema<StorageSettings> = {
  dataDir: {
    doc: 'Folder of everything that has to survive a restart; made with mode 0700',
    format: 'optional-text',
    default: './data',
    env: 'GANTRY_DATA_DIR',
    arg: 'data-dir',
  },
  store: {
    url: {
      doc: 'file:PATH or postgres://USER:PASSWORD@HOST/DATABASE; empty: file:<dataDir>/gantry.db',
      format: 'store-url',
      default: '',
      env: 'GANTRY_STORE_URL',
      arg: 'store-url',
      sensitive: true,
    },
  },
};

export const brokerSection: ConfigSchema<BrokerSettings> = {
  broker: {
    url: {
      doc: 'in-process: (embedded only), or amqp[s]://USER:PASSWORD@HOST:PORT/VHOST',
      format: 'broker-url',
      default: 'in-process:',
      env: 'GANTRY_BROKER_URL',
      arg: 'broker-url',
      sensitive: true,
    },
    caFile: {
      doc: 'PEM file with the authority of the broker, for amqps; empty: the system authorities',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_BROKER_CA_FILE',
      arg: 'broker-ca-file',
    },
    isCluster: {
      doc: 'true when RabbitMQ is a cluster: asynchronous queues are quorum queues then',
      format: Boolean,
      default: false,
      env: 'GANTRY_BROKER_IS_CLUSTER',
      arg: 'broker-is-cluster',
    },
  },
};

export const flavourSection: ConfigSchema<FlavourSettings> = {
  flavoursDir: {
    doc: 'Folder with the definitions of flavours, NAME.yaml each; empty: those that come with Gantry (config/flavours)',
    format: 'optional-text',
    default: '',
    env: 'GANTRY_FLAVOURS_DIR',
    arg: 'flavours-dir',
  },
};

export const observationSection: ConfigSchema<ObservationSettings> = {
  metrics: {
    host: {
      doc: 'Address of the metrics port',
      format: 'optional-text',
      default: '127.0.0.1',
      env: 'GANTRY_METRICS_HOST',
      arg: 'metrics-host',
    },
    port: {
      doc: 'Port of /metrics; 0: any free port, written to the log',
      format: 'port',
      default: 0,
      env: 'GANTRY_METRICS_PORT',
      arg: 'metrics-port',
    },
  },
  log: {
    level: {
      doc: 'Least severe level that is written',
      format: ['error', 'warn', 'info', 'debug'],
      default: 'info',
      env: 'GANTRY_LOG_LEVEL',
      arg: 'log-level',
    },
    format: {
      doc: 'json: one object a line; text: for people',
      format: ['json', 'text'],
      default: 'json',
      env: 'GANTRY_LOG_FORMAT',
      arg: 'log-format',
    },
  },
};

/** The store a service uses: the one it was told, or a file in its data folder. */
export const storeUrlOf = (settings: StorageSettings): string =>
  settings.store.url === '' ? `file:${settings.dataDir}/gantry.db` : settings.store.url;
