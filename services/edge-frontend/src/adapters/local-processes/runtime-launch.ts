/** How a runtime process of this machine is started: its program, its settings and its secrets. */
import { renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface RuntimeLaunch {
  /** The runtime's `main.js`. */
  readonly program: string;
  /** YAML file with further settings of the runtime; empty: none. */
  readonly configFile: string;
  /** The environment to inherit from; secrets and what belongs to other services are left out. */
  readonly environment: Readonly<Record<string, string>>;
  readonly brokerUrl: SecretSource;
  readonly credential: SecretSource;
  /** Where its functions' code is; undefined: as its own settings say. */
  readonly edgeUrl: () => string | undefined;
  /** How long what it runs may go on once it drains, unless its environment says otherwise. */
  readonly drainSeconds: number;
}

/** A secret that is in a file already, or one that has to be put into one. */
export type SecretSource = { readonly file: string } | { readonly value: string };

/** Of a log file; with the one before it, a runtime takes twice as much at most. */
const logFileBytes = 16 * 1024 * 1024;

/** What a runtime may inherit, and what of it is a secret or belongs to another service. */
const kept = /^(PATH|HOME|TMPDIR|LANG|NODE_ENV|GANTRY_.*)$/;
const leftOut =
  /(URL|PASSWORD|TOKEN|SECRET|CREDENTIAL|KEY)(_FILE)?$|^GANTRY_(EDGE_(?!URLS$)|CLOUD_|CONFIG_FILE$|DATA_DIR$|METRICS_PORT$|FLAVOURS$|CLUSTER_)/;

/**
 * The environment of a runtime process. Secrets are named by file only: an environment is seen by every process of the
 * same user.
 * @param folder where a secret that is in no file yet is put, with mode 0600
 */
export function buildEnvironment(
  launch: RuntimeLaunch,
  folder: string,
  statusPath: string,
): Record<string, string> {
  const inherited = Object.entries(launch.environment).filter(
    ([name]) => kept.test(name) && !leftOut.test(name),
  );
  const edgeUrl = launch.edgeUrl();
  return {
    GANTRY_RUNTIME_DRAIN_SECONDS: String(launch.drainSeconds),
    GANTRY_RUNTIME_LOG_FILE_BYTES: String(logFileBytes),
    ...(edgeUrl === undefined ? {} : { GANTRY_EDGE_URLS: edgeUrl }),
    ...Object.fromEntries(inherited),
    GANTRY_BROKER_URL_FILE: toFile(launch.brokerUrl, join(folder, 'broker-url')),
    GANTRY_RUNTIME_CREDENTIAL_FILE: toFile(launch.credential, join(folder, 'runtime-credential')),
    GANTRY_RUNTIME_STATUS_FILE: statusPath,
  };
}

/** The command line of a runtime process, after node. */
export function buildArguments(launch: RuntimeLaunch, flavour: string, slots: number | undefined): string[] {
  return [
    launch.program,
    '--flavour',
    flavour,
    ...(slots === undefined ? [] : ['--slots', String(slots)]),
    ...(launch.configFile === '' ? [] : ['--config', resolve(launch.configFile)]),
  ];
}

function toFile(source: SecretSource, path: string): string {
  if ('file' in source) return resolve(source.file);
  writeFileSync(`${path}.new`, source.value, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return path;
}
