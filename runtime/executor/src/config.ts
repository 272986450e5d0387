import {
  type BrokerSettings,
  brokerSection,
  type ConfigSchema,
  type ObservationSettings,
  observationSection,
} from '@gantry/config';
import { type IsolationLevel, isolationLevels } from './isolation.js';
import { defaultRuntimeOptions } from './runtime-options.js';

/** What an embedded runtime and one of its own process have in common. */
export interface RuntimeSettings {
  readonly runtime: {
    readonly slots: number;
    readonly isolation: IsolationLevel;
    readonly memoryMiB: number;
    readonly residentMiB: number;
    readonly resultBytes: number;
    readonly logBytes: number;
    readonly warmFunctions: number;
    readonly keptProcesses: number;
    readonly drainSeconds: number;
    readonly clockToleranceMs: number;
  };
}

export interface RuntimeConnectionSettings {
  readonly flavours: string[];
  readonly edgeUrls: string[];
  readonly credential: string;
}

const defaults = defaultRuntimeOptions;

export const runtimeSection: ConfigSchema<RuntimeSettings> = {
  runtime: {
    slots: {
      doc: 'Executions at once, for each flavour',
      format: 'positive-int',
      default: defaults.slots,
      env: 'GANTRY_RUNTIME_SLOTS',
      arg: 'slots',
    },
    isolation: {
      doc: 'thread (development), process (loopback listeners only), sandbox or container (not in this release)',
      format: [...isolationLevels],
      default: defaults.isolation,
      env: 'GANTRY_RUNTIME_ISOLATION',
      arg: 'isolation',
    },
    memoryMiB: {
      doc: 'Heap of one function in MiB',
      format: 'positive-int',
      default: defaults.memoryMiB,
      env: 'GANTRY_RUNTIME_MEMORY_MIB',
      arg: 'memory-mib',
    },
    residentMiB: {
      doc: 'Resident memory in MiB at which an executor process is killed; more than memoryMiB',
      format: 'positive-int',
      default: defaults.residentMiB,
      env: 'GANTRY_RUNTIME_RESIDENT_MIB',
      arg: 'resident-mib',
    },
    resultBytes: {
      doc: 'Bytes of a result as JSON',
      format: 'positive-int',
      default: defaults.resultBytes,
      env: 'GANTRY_RUNTIME_RESULT_BYTES',
      arg: 'result-bytes',
    },
    logBytes: {
      doc: 'Bytes kept of what one execution prints',
      format: 'positive-int',
      default: defaults.logBytes,
      env: 'GANTRY_RUNTIME_LOG_BYTES',
      arg: 'log-bytes',
    },
    warmFunctions: {
      doc: 'Functions of one owner kept warm in one executor process',
      format: 'positive-int',
      default: defaults.warmFunctions,
      env: 'GANTRY_RUNTIME_WARM_FUNCTIONS',
      arg: 'warm-functions',
    },
    keptProcesses: {
      doc: 'Idle executor processes kept, each bound to its owner',
      format: 'positive-int',
      default: defaults.keptProcesses,
      env: 'GANTRY_RUNTIME_KEPT_PROCESSES',
      arg: 'kept-processes',
    },
    drainSeconds: {
      doc: 'Seconds that running executions may go on after SIGTERM',
      format: 'positive-int',
      default: defaults.drainMs / 1000,
      env: 'GANTRY_RUNTIME_DRAIN_SECONDS',
      arg: 'drain-seconds',
    },
    clockToleranceMs: {
      doc: 'Milliseconds by which the clocks of frontend and runtime may differ',
      format: 'nat',
      default: defaults.clockToleranceMs,
      env: 'GANTRY_CLOCK_TOLERANCE_MS',
      arg: 'clock-tolerance-ms',
    },
  },
};

/** The whole schema of a runtime process. */
export const runtimeSchema: ConfigSchema<
  RuntimeSettings & RuntimeConnectionSettings & BrokerSettings & ObservationSettings
> = {
  ...brokerSection,
  ...observationSection,
  ...runtimeSection,
  flavours: {
    doc: 'Flavours to serve, separated by commas',
    format: 'name-list',
    default: ['Nature'],
    env: 'GANTRY_FLAVOURS',
    arg: 'flavour',
  },
  edgeUrls: {
    doc: 'Edge frontends that have the code of functions, separated by commas',
    format: 'http-url-list',
    default: ['http://127.0.0.1:1339'],
    env: 'GANTRY_EDGE_URLS',
    arg: 'edge-urls',
  },
  credential: {
    doc: 'Credential of runtimes at the edge frontend; give it as a file in GANTRY_RUNTIME_CREDENTIAL_FILE',
    format: 'optional-text',
    default: '',
    env: 'GANTRY_RUNTIME_CREDENTIAL',
    sensitive: true,
  },
};

/** Settings as the options of `createRuntime`. */
export function toRuntimeOptions({ runtime }: RuntimeSettings) {
  const { drainSeconds, ...rest } = runtime;
  return { ...rest, drainMs: drainSeconds * 1000 };
}
