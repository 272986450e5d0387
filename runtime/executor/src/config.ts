import {
  type BrokerSettings,
  brokerSection,
  type ConfigSchema,
  type FlavourSettings,
  flavourSection,
  type ObservationSettings,
  observationSection,
} from '@gantry/config';
import { type IsolationChoice, isolationChoices } from '@gantry/contracts/execution';
import { defaultRuntimeOptions } from './runtime-options.js';

/** What an embedded runtime and one of its own process have in common. */
export interface RuntimeSettings {
  readonly runtime: {
    readonly slots: number;
    readonly isolation: IsolationChoice;
    readonly memoryMiB: number;
    readonly scratchMiB: number;
    readonly residentMiB: number;
    readonly resultBytes: number;
    readonly logBytes: number;
    readonly warmFunctions: number;
    readonly pythonExecutable: string;
    readonly keptProcesses: number;
    readonly keptMemoryMiB: number;
    readonly drainSeconds: number;
    readonly clockToleranceMs: number;
  };
}

interface RuntimeConnectionSettings {
  readonly flavours: string[];
  readonly edgeUrls: string[];
  readonly credential: string;
  readonly statusFile: string;
  readonly logFileBytes: number;
}

const defaults = defaultRuntimeOptions;

export const runtimeSection: ConfigSchema<RuntimeSettings> = {
  runtime: {
    slots: {
      doc: 'Executions at once, for each flavour; 0: as its definition says',
      format: 'nat',
      default: defaults.slots,
      env: 'GANTRY_RUNTIME_SLOTS',
      arg: 'slots',
    },
    isolation: {
      doc: 'auto: sandbox where bubblewrap works, else process; process: loopback listeners only; thread: development. The stricter of this and what a flavour says holds',
      format: [...isolationChoices],
      default: defaults.isolation,
      env: 'GANTRY_RUNTIME_ISOLATION',
      arg: 'isolation',
    },
    memoryMiB: {
      doc: 'Most memory of a function on this machine, in MiB of its heap; 0: as its flavour says',
      format: 'nat',
      default: defaults.memoryMiB,
      env: 'GANTRY_RUNTIME_MEMORY_MIB',
      arg: 'memory-mib',
    },
    scratchMiB: {
      doc: 'Largest scratch folder of a function on this machine, in MiB; 0: as its flavour says',
      format: 'nat',
      default: defaults.scratchMiB,
      env: 'GANTRY_RUNTIME_SCRATCH_MIB',
      arg: 'scratch-mib',
    },
    residentMiB: {
      doc: 'Resident memory in MiB at which an executor process is killed; 0: 256 more than twice the memory of its function',
      format: 'nat',
      default: defaults.residentMiB,
      env: 'GANTRY_RUNTIME_RESIDENT_MIB',
      arg: 'resident-mib',
    },
    resultBytes: {
      doc: 'Most bytes of a result as JSON; 0: as the flavour says',
      format: 'nat',
      default: defaults.resultBytes,
      env: 'GANTRY_RUNTIME_RESULT_BYTES',
      arg: 'result-bytes',
    },
    logBytes: {
      doc: 'Most bytes kept of what one execution prints; 0: as the flavour says',
      format: 'nat',
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
    pythonExecutable: {
      doc: 'Path of the Python interpreter for functions in Python and of C clients',
      format: String,
      default: defaults.pythonExecutable,
      env: 'GANTRY_PYTHON',
      arg: 'python',
    },
    keptProcesses: {
      doc: 'Idle executor processes kept for each flavour, each bound to its owner',
      format: 'positive-int',
      default: defaults.keptProcesses,
      env: 'GANTRY_RUNTIME_KEPT_PROCESSES',
      arg: 'kept-processes',
    },
    keptMemoryMiB: {
      doc: 'Resident memory in MiB of all idle executor processes; beyond it the coldest end. 0: a quarter of what there is',
      format: 'nat',
      default: defaults.keptMemoryMiB,
      env: 'GANTRY_RUNTIME_KEPT_MEMORY_MIB',
      arg: 'kept-memory-mib',
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

/** All settings of a runtime process. */
export type RuntimeProcessSettings = RuntimeSettings &
  RuntimeConnectionSettings &
  BrokerSettings &
  FlavourSettings &
  ObservationSettings;

export const runtimeSchema: ConfigSchema<RuntimeProcessSettings> = {
  ...brokerSection,
  ...flavourSection,
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
  statusFile: {
    doc: 'File that says whether the runtime takes executions, for what started it; empty: none',
    format: 'optional-text',
    default: '',
    env: 'GANTRY_RUNTIME_STATUS_FILE',
  },
  logFileBytes: {
    doc: 'Bytes at which the file that standard error goes to starts again, the one before kept as .old; 0: never',
    format: 'nat',
    default: 0,
    env: 'GANTRY_RUNTIME_LOG_FILE_BYTES',
  },
};

/** Settings as the options of `createRuntime`. */
export function toRuntimeOptions({ runtime }: RuntimeSettings) {
  const { drainSeconds, ...rest } = runtime;
  return { ...rest, drainMs: drainSeconds * 1000 };
}
