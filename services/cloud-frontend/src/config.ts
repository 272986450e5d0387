import {
  type ConfigSchema,
  type ObservationSettings,
  observationSection,
  type StorageSettings,
  storageSection,
} from '@gantry/config';

/** The settings of a cloud frontend beyond storage and observation. */
export interface CloudSettings {
  readonly cloud: {
    readonly host: string;
    readonly port: number;
    readonly adminPasswordFile: string;
    readonly tokenLifetimeHours: number;
    readonly failedSignInsPerMinute: number;
    readonly hashConcurrency: number;
    readonly clusterSilenceSeconds: number;
    readonly refreshSeconds: number;
    readonly defaultQuotaFunctions: number;
    readonly defaultQuotaFunctionBytes: number;
  };
}

/** Everything that {@link createCloudFrontend} reads. */
export type CloudFrontendConfig = CloudSettings & Pick<StorageSettings, 'dataDir'>;

export const cloudSection: ConfigSchema<CloudSettings> = {
  cloud: {
    host: {
      doc: 'Address the cloud frontend listens on; plain HTTP, so anything but loopback belongs behind TLS',
      format: 'optional-text',
      default: '127.0.0.1',
      env: 'GANTRY_CLOUD_HOST',
      arg: 'cloud-host',
    },
    port: {
      doc: 'Port of the cloud frontend; 0: any free port',
      format: 'port',
      default: 1338,
      env: 'GANTRY_CLOUD_PORT',
      arg: 'cloud-port',
    },
    adminPasswordFile: {
      doc: 'File with the password of the first account, admin (12 characters or more); empty: a random one',
      format: 'optional-text',
      default: '',
      env: 'GANTRY_ADMIN_PASSWORD_FILE',
      arg: 'admin-password-file',
    },
    tokenLifetimeHours: {
      doc: 'Hours until a token expires; a retired key is kept as long, and a few minutes more',
      format: 'positive-int',
      default: 24,
      env: 'GANTRY_TOKEN_LIFETIME_HOURS',
      arg: 'token-lifetime-hours',
    },
    failedSignInsPerMinute: {
      doc: 'Failed sign-ins a minute for one account from one address, before 429',
      format: 'positive-int',
      default: 10,
      env: 'GANTRY_FAILED_SIGN_INS_PER_MINUTE',
      arg: 'failed-sign-ins-per-minute',
    },
    hashConcurrency: {
      doc: 'Passwords hashed at once; each takes a core and 19 MiB for some 30 ms. Node has four threads for it',
      format: 'positive-int',
      default: 2,
      env: 'GANTRY_HASH_CONCURRENCY',
      arg: 'hash-concurrency',
    },
    clusterSilenceSeconds: {
      doc: 'Seconds after its last report that an edge cluster is still offered',
      format: 'positive-int',
      default: 30,
      env: 'GANTRY_CLUSTER_SILENCE_SECONDS',
      arg: 'cluster-silence-seconds',
    },
    refreshSeconds: {
      doc: 'Seconds between looks at the keys and revocations that other cloud frontends made',
      format: 'positive-int',
      default: 3,
      env: 'GANTRY_CLOUD_REFRESH_SECONDS',
      arg: 'cloud-refresh-seconds',
    },
    defaultQuotaFunctions: {
      doc: 'Functions an account may store, unless it was created with another number',
      format: 'nat',
      default: 1000,
      env: 'GANTRY_DEFAULT_QUOTA_FUNCTIONS',
      arg: 'default-quota-functions',
    },
    defaultQuotaFunctionBytes: {
      doc: "Bytes an account's functions may take together, unless it was created with another number",
      format: 'nat',
      default: 1024 * 1024 * 1024,
      env: 'GANTRY_DEFAULT_QUOTA_FUNCTION_BYTES',
      arg: 'default-quota-function-bytes',
    },
  },
};

/** The whole schema of the process; the embedded shape spreads {@link cloudSection} into its own. */
export const cloudFrontendSchema: ConfigSchema<CloudSettings & StorageSettings & ObservationSettings> = {
  ...storageSection,
  ...observationSection,
  ...cloudSection,
};
