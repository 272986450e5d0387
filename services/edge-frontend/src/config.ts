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
import { defaultFlavour } from '@gantry/contracts';

/** The settings of an edge frontend beyond storage, broker and observation. */
export interface EdgeSettings {
  readonly edge: {
    readonly host: string;
    readonly port: number;
    readonly publicUrl: string;
    readonly name: string;
    readonly flavours: readonly string[];
    readonly geolocation: string;
    readonly provider: string;
    readonly isConfidential: boolean;
    readonly cloudUrl: string;
    readonly enrolmentTokenFile: string;
    readonly runtimeCredentialFile: string;
    readonly defaultRunSeconds: number;
    readonly maxRunSeconds: number;
    readonly runGraceMs: number;
    readonly syncQueueSeconds: number;
    readonly asyncQueueSeconds: number;
    readonly maxAttempts: number;
    readonly concurrentCallsPerUser: number;
    readonly asyncCallsPerSecondPerUser: number;
    readonly maxCallsInFlight: number;
    readonly maxBytesInFlight: number;
    readonly maxLongPolls: number;
    readonly retentionDays: number;
    readonly recordSyncExecutions: boolean;
    readonly documentStaleHours: number;
    readonly maxScaledRuntimes: number;
    readonly runtimeConfigFile: string;
  };
}

/** Everything that {@link createEdgeFrontend} reads. */
export type EdgeFrontendConfig = EdgeSettings &
  Pick<StorageSettings, 'dataDir'> & { readonly broker: Pick<BrokerSettings['broker'], 'isCluster'> };

export const edgeSection: ConfigSchema<EdgeSettings> = {
  edge: {
    host: {
      doc: 'Address the edge frontend listens on; plain HTTP, so anything but loopback belongs behind TLS',
      format: 'optional-text',
      default: '127.0.0.1',
      env: 'GANTRY_EDGE_HOST',
      arg: 'edge-host',
    },
    port: {
      doc: 'Port of the edge frontend; 0: any free port',
      format: 'port',
      default: 1339,
      env: 'GANTRY_EDGE_PORT',
      arg: 'edge-port',
    },
    publicUrl: {
      doc: 'Where devices reach it, as it is told to the cloud frontend; empty: http://<host>:<port>',
      format: 'http-url',
      default: '',
      env: 'GANTRY_EDGE_PUBLIC_URL',
      arg: 'edge-public-url',
    },
    name: {
      doc: 'Name of the edge cluster, as it was enrolled; 49 characters at most',
      format: 'optional-text',
      default: 'local',
      env: 'GANTRY_CLUSTER_NAME',
      arg: 'cluster-name',
    },
    flavours: {
      doc: 'Flavours the cluster serves; only these are declared on the broker',
      format: 'name-list',
      default: [defaultFlavour],
      env: 'GANTRY_FLAVOURS',
      arg: 'flavours',
    },
    geolocation: {
      doc: 'Where the cluster stands, "latitude,longitude" in degrees; empty: unknown, sorted last',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_EDGE_GEOLOCATION',
      arg: 'edge-geolocation',
    },
    provider: {
      doc: 'Who runs the cluster, matched by PROVIDERS of requirements; empty: nobody in particular',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_EDGE_PROVIDER',
      arg: 'edge-provider',
    },
    isConfidential: {
      doc: 'true when the cluster may run what asks for IS_CONFIDENTIAL',
      format: Boolean,
      default: false,
      env: 'GANTRY_EDGE_IS_CONFIDENTIAL',
      arg: 'edge-is-confidential',
    },
    cloudUrl: {
      doc: 'Where the cloud frontend is, for an edge frontend of its own process',
      format: 'http-url',
      default: 'http://127.0.0.1:1338',
      env: 'GANTRY_CLOUD_URL',
      arg: 'cloud-url',
    },
    enrolmentTokenFile: {
      doc: 'File with the enrolment token of the cluster (mode 0600); needed with a cloud frontend elsewhere',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_ENROLMENT_TOKEN_FILE',
      arg: 'enrolment-token-file',
    },
    runtimeCredentialFile: {
      doc: 'File with the credential that runtimes fetch code with (mode 0600); empty: no runtime may, and with an embedded platform on RabbitMQ those that read runtime-credential in its data folder',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_RUNTIME_CREDENTIAL_FILE',
      arg: 'runtime-credential-file',
    },
    defaultRunSeconds: {
      doc: 'Run time of an execution whose requirement names none',
      format: 'positive-int',
      default: 60,
      env: 'GANTRY_DEFAULT_RUN_SECONDS',
      arg: 'default-run-seconds',
    },
    maxRunSeconds: {
      doc: 'Longest run time an execution can ask for',
      format: 'positive-int',
      default: 900,
      env: 'GANTRY_MAX_RUN_SECONDS',
      arg: 'max-run-seconds',
    },
    runGraceMs: {
      doc: 'Milliseconds after its run time that the result of an execution may still arrive',
      format: 'positive-int',
      default: 3000,
      env: 'GANTRY_RUN_GRACE_MS',
      arg: 'run-grace-ms',
    },
    syncQueueSeconds: {
      doc: 'Longest wait of a synchronous call for a runtime, before 504',
      format: 'positive-int',
      default: 30,
      env: 'GANTRY_SYNC_QUEUE_SECONDS',
      arg: 'sync-queue-seconds',
    },
    asyncQueueSeconds: {
      doc: 'Longest wait of an asynchronous execution for a runtime, before it expires',
      format: 'positive-int',
      default: 3600,
      env: 'GANTRY_ASYNC_QUEUE_SECONDS',
      arg: 'async-queue-seconds',
    },
    maxAttempts: {
      doc: 'Starts of an asynchronous execution whose runtimes were lost, before it is dead',
      format: 'positive-int',
      default: 3,
      env: 'GANTRY_MAX_ATTEMPTS',
      arg: 'max-attempts',
    },
    concurrentCallsPerUser: {
      doc: 'Calls of one account at once, before 429',
      format: 'positive-int',
      default: 256,
      env: 'GANTRY_CONCURRENT_CALLS_PER_USER',
      arg: 'concurrent-calls-per-user',
    },
    asyncCallsPerSecondPerUser: {
      doc: 'Asynchronous executions of one account a second, before 429',
      format: 'positive-int',
      default: 200,
      env: 'GANTRY_ASYNC_CALLS_PER_SECOND_PER_USER',
      arg: 'async-calls-per-second-per-user',
    },
    maxCallsInFlight: {
      doc: 'Calls at once in this process, before 503',
      format: 'positive-int',
      default: 4096,
      env: 'GANTRY_MAX_CALLS_IN_FLIGHT',
      arg: 'max-calls-in-flight',
    },
    maxBytesInFlight: {
      doc: 'Bytes of parameters at once in this process, before 503; at least one body of 32 MiB fits',
      format: 'positive-int',
      default: 256 * 1024 * 1024,
      env: 'GANTRY_MAX_BYTES_IN_FLIGHT',
      arg: 'max-bytes-in-flight',
    },
    maxLongPolls: {
      doc: 'Readers that wait for the end of an execution at once; more are answered without waiting',
      format: 'positive-int',
      default: 2000,
      env: 'GANTRY_MAX_LONG_POLLS',
      arg: 'max-long-polls',
    },
    retentionDays: {
      doc: 'Days that results and logs are kept; after that 410',
      format: 'positive-int',
      default: 7,
      env: 'GANTRY_RETENTION_DAYS',
      arg: 'retention-days',
    },
    recordSyncExecutions: {
      doc: 'Whether synchronous calls are listed afterwards (written behind, best effort)',
      format: Boolean,
      default: true,
      env: 'GANTRY_RECORD_SYNC_EXECUTIONS',
      arg: 'record-sync-executions',
    },
    documentStaleHours: {
      doc: 'Hours that known functions and requirements are served while the cloud frontend does not answer',
      format: 'positive-int',
      default: 24,
      env: 'GANTRY_DOCUMENT_STALE_HOURS',
      arg: 'document-stale-hours',
    },
    maxScaledRuntimes: {
      doc: 'Most runtimes of a flavour that POST /v1/scale may start on this machine; 0: it starts none',
      format: 'nat',
      default: 0,
      env: 'GANTRY_MAX_SCALED_RUNTIMES',
      arg: 'max-scaled-runtimes',
    },
    runtimeConfigFile: {
      doc: 'YAML file for the runtimes that POST /v1/scale starts as processes; empty: none',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_RUNTIME_CONFIG_FILE',
      arg: 'runtime-config-file',
    },
  },
};

/** The whole schema of the process; the embedded shape spreads {@link edgeSection} into its own. */
export const edgeFrontendSchema: ConfigSchema<
  EdgeSettings & StorageSettings & BrokerSettings & ObservationSettings & FlavourSettings
> = {
  ...storageSection,
  ...brokerSection,
  ...flavourSection,
  ...observationSection,
  ...edgeSection,
};

/** Whether only this machine can connect: isolation levels below `sandbox` are for such listeners only. */
export const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
