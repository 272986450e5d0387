import {
  ConfigError,
  type ConfigSchema,
  type ObservationSettings,
  observationSection,
  type StorageSettings,
  storageSection,
} from '@gantry/config';

/** The settings of a bridge beyond storage and observation. */
export interface BridgeSettings {
  readonly bridge: {
    readonly host: string;
    readonly port: number;
    readonly publicUrl: string;
    readonly access: 'token' | 'open';
    readonly enrolmentMinutes: number;
    readonly credentialDays: number;
    readonly maxNodesPerUser: number;
    readonly answerSeconds: number;
    readonly maxCallsInFlight: number;
    readonly maxCallsPerUser: number;
    readonly maxEventReaders: number;
    readonly auditFileMiB: number;
  };
}

const loopback = /^(localhost|::1|127(\.\d{1,3}){3})$/i;

/**
 * Open mode lets everyone who reaches the listener run programs on every node.
 * @throws {ConfigError} when it is asked for on a listener that others than this machine reach
 */
export function checkAccess({ access, host }: BridgeSettings['bridge']): void {
  if (access === 'open' && !loopback.test(host))
    throw new ConfigError([
      `GANTRY_BRIDGE_ACCESS: open is for loopback listeners only, and ${host} is none; listen on 127.0.0.1 or use tokens`,
    ]);
}

/** Everything that {@link createBridge} reads. */
export type BridgeConfig = BridgeSettings & Pick<StorageSettings, 'dataDir'>;

export const bridgeSection: ConfigSchema<BridgeSettings> = {
  bridge: {
    host: {
      doc: 'Address the bridge listens on; plain HTTP, so anything but loopback belongs behind TLS',
      format: 'optional-text',
      default: '127.0.0.1',
      env: 'GANTRY_BRIDGE_HOST',
      arg: 'bridge-host',
    },
    port: {
      doc: 'Port of the bridge; 0: any free port',
      format: 'port',
      default: 1341,
      env: 'GANTRY_BRIDGE_PORT',
      arg: 'bridge-port',
    },
    publicUrl: {
      doc: 'Where nodes and people reach it, as it says itself and other bridges of its store say; empty: http://<host>:<port>, and nothing to others',
      format: 'http-url',
      default: '',
      env: 'GANTRY_BRIDGE_PUBLIC_URL',
      arg: 'bridge-public-url',
    },
    access: {
      doc: 'token; open: the doors for original clients and edges need no token, for loopback listeners only',
      format: ['token', 'open'],
      default: 'token',
      env: 'GANTRY_BRIDGE_ACCESS',
      arg: 'bridge-access',
    },
    enrolmentMinutes: {
      doc: 'Minutes until an enrolment token of a node expires',
      format: 'positive-int',
      default: 60,
      env: 'GANTRY_BRIDGE_ENROLMENT_MINUTES',
      arg: 'bridge-enrolment-minutes',
    },
    credentialDays: {
      doc: 'Days until the credential of a node expires; it can be revoked at any time',
      format: 'positive-int',
      default: 3650,
      env: 'GANTRY_BRIDGE_CREDENTIAL_DAYS',
      arg: 'bridge-credential-days',
    },
    maxNodesPerUser: {
      doc: 'Nodes that an account may enrol; administrators have no limit',
      format: 'nat',
      default: 100,
      env: 'GANTRY_BRIDGE_MAX_NODES_PER_USER',
      arg: 'bridge-max-nodes-per-user',
    },
    answerSeconds: {
      doc: 'Seconds that a node may take to begin its answer; a body that is sent gets as much more as its size needs',
      format: 'positive-int',
      default: 120,
      env: 'GANTRY_BRIDGE_ANSWER_SECONDS',
      arg: 'bridge-answer-seconds',
    },
    maxCallsInFlight: {
      doc: 'Calls to nodes at once in this process, before 503',
      format: 'positive-int',
      default: 4096,
      env: 'GANTRY_BRIDGE_MAX_CALLS_IN_FLIGHT',
      arg: 'bridge-max-calls-in-flight',
    },
    maxCallsPerUser: {
      doc: 'Calls of one account to nodes at once, before 429',
      format: 'positive-int',
      default: 256,
      env: 'GANTRY_BRIDGE_MAX_CALLS_PER_USER',
      arg: 'bridge-max-calls-per-user',
    },
    maxEventReaders: {
      doc: 'Readers of events at once, before 503; one account may have a tenth of them',
      format: 'positive-int',
      default: 1000,
      env: 'GANTRY_BRIDGE_MAX_EVENT_READERS',
      arg: 'bridge-max-event-readers',
    },
    auditFileMiB: {
      doc: 'Size in MiB at which the audit log begins a new file; the last ten are kept',
      format: 'positive-int',
      default: 32,
      env: 'GANTRY_BRIDGE_AUDIT_FILE_MIB',
      arg: 'bridge-audit-file-mib',
    },
  },
};

/** Of a bridge of its own process. */
interface TrustSettings {
  readonly trust: { readonly cloudUrl: string };
}

/** The whole schema of the process; the embedded shape spreads {@link bridgeSection} into its own. */
export const bridgeSchema: ConfigSchema<
  BridgeSettings & TrustSettings & StorageSettings & ObservationSettings
> = {
  trust: {
    cloudUrl: {
      doc: 'Where the cloud frontend is, whose tokens the bridge takes',
      format: 'http-url',
      default: 'http://127.0.0.1:1338',
      env: 'GANTRY_CLOUD_URL',
      arg: 'cloud-url',
    },
  },
  ...storageSection,
  ...observationSection,
  ...bridgeSection,
};
