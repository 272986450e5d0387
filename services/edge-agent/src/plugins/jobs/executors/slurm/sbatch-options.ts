/** A job spec as options of sbatch. Pure. */
import type { JobSpec } from '@gantry/contracts';
import type { FieldError } from '@gantry/kernel';

/** What a caller may say beside the fields of the spec, as `slurm.<option>`. */
const customOptions = new Set([
  ...['acctg-freq', 'bb', 'begin', 'cluster-constraint', 'comment', 'constraint', 'contiguous', 'core-spec'],
  ...['cores-per-socket', 'cpu-freq', 'cpus-per-gpu', 'deadline', 'delay-boot', 'exclude', 'exclusive'],
  ...[
    'extra-node-info',
    'gpu-bind',
    'gpu-freq',
    'gpus',
    'gpus-per-node',
    'gpus-per-socket',
    'gres',
    'gres-flags',
  ],
  ...[
    'hint',
    'licenses',
    'mail-type',
    'mail-user',
    'mcs-label',
    'mem-bind',
    'mem-per-cpu',
    'mem-per-gpu',
    'mincpus',
  ],
  ...['network', 'nice', 'no-kill', 'no-requeue', 'nodelist', 'ntasks-per-core', 'ntasks-per-gpu'],
  ...[
    'ntasks-per-node',
    'ntasks-per-socket',
    'overcommit',
    'oversubscribe',
    'prefer',
    'qos',
    'requeue',
    'signal',
  ],
  ...['sockets-per-node', 'spread-job', 'switches', 'thread-spec', 'threads-per-core', 'time-min', 'tmp'],
  ...['tres-per-task', 'use-min-nodes', 'wait-all-nodes', 'wckey'],
]);

/** What has a field of its own. */
const ownFields: Readonly<Record<string, string>> = {
  account: 'account',
  array: 'array',
  chdir: 'directory',
  'cpus-per-task': 'resources.cores_per_process',
  dependency: 'dependencies',
  error: 'stderr_path',
  'gpus-per-task': 'resources.gpus_per_process',
  hold: 'hold',
  input: 'stdin_path',
  'job-name': 'name',
  mem: 'resources.memory',
  nodes: 'resources.nodes',
  ntasks: 'resources.processes',
  output: 'stdout_path',
  partition: 'queue',
  reservation: 'reservation',
  time: 'duration',
};

/** A shell keeps these to itself: bash refuses to set them and ends. */
const fixedVariables = new Set(['BASHOPTS', 'BASH_VERSINFO', 'EUID', 'PPID', 'SHELLOPTS', 'UID']);

const prefix = 'slurm.';
const optionOf = (key: string): string => key.slice(prefix.length).replaceAll('_', '-');

export function findUnsupportedBySlurm(spec: JobSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (field: string, detail: string) =>
    errors.push({ pointer: `/body/spec/${field}`, detail: `${field}: ${detail}` });
  for (const [key, value] of Object.entries(spec.custom_attributes)) {
    const field = `custom_attributes/${key}`;
    const option = optionOf(key);
    if (!key.startsWith(prefix))
      refuse(field, 'the executor slurm knows attributes that begin with "slurm."');
    else if (Object.hasOwn(ownFields, option)) refuse(field, `use the field ${ownFields[option]}`);
    else if (!customOptions.has(option))
      refuse(field, `the executor slurm does not know the option ${option}`);
    else if (option === 'constraint' && spec.constraints !== undefined)
      refuse(field, 'constraints says it already');
    else if (/\p{Cc}/u.test(String(value))) refuse(field, 'must not contain control characters');
  }
  for (const field of ['stdin_path', 'stdout_path', 'stderr_path'] as const)
    if (/[\\\p{Cc}]/u.test(spec[field] ?? ''))
      refuse(field, 'Slurm takes no backslashes or control characters in it');
  if (/\p{Cc}/u.test(spec.directory ?? '')) refuse('directory', 'must not contain control characters');
  for (const name of Object.keys(spec.environment))
    if (fixedVariables.has(name)) refuse(`environment/${name}`, 'cannot be set in a batch job');
  return errors;
}

export interface SbatchPaths {
  readonly script: string;
  readonly directory: string;
  readonly stdin: string | undefined;
  /** With `{index}` where the index of an element goes. */
  readonly stdout: string;
  readonly stderr: string;
}

/** `native` gives the id of another job. */
export function buildSbatchArguments(
  spec: JobSpec,
  paths: SbatchPaths,
  native: (jobId: string) => string,
): readonly string[] {
  const { resources, array } = spec;
  const pairs: readonly (readonly [string, string | number | undefined])[] = [
    ['job-name', spec.name ?? 'gantry'],
    ['chdir', paths.directory],
    ['input', paths.stdin === undefined ? undefined : toPattern(paths.stdin)],
    ['output', toPattern(paths.stdout)],
    ['error', toPattern(paths.stderr)],
    ['open-mode', 'truncate'],
    ['partition', spec.queue],
    ['account', spec.account],
    ['reservation', spec.reservation],
    ['constraint', spec.constraints],
    ['time', spec.duration === undefined ? undefined : toTime(spec.duration)],
    ['nodes', resources.nodes],
    ['ntasks', resources.processes],
    ['cpus-per-task', resources.cores_per_process],
    ['gpus-per-task', resources.gpus_per_process],
    ['mem', resources.memory === undefined ? undefined : `${Math.ceil(resources.memory / 1024 ** 2)}M`],
    ['array', array === undefined ? undefined : `${array.indices}${toLimit(array.max_running)}`],
    ['dependency', toDependency(spec, native)],
    ['kill-on-invalid-dep', 'yes'],
  ];
  // gpus-per-task needs a number of tasks.
  const needsTasks = resources.gpus_per_process !== undefined && resources.processes === undefined;
  return [
    '--parsable',
    ...pairs.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    ...(needsTasks ? ['--ntasks=1'] : []),
    ...(spec.hold ? ['--hold'] : []),
    ...Object.entries(spec.custom_attributes).flatMap(([key, value]) => toCustom(optionOf(key), value)),
    paths.script,
  ];
}

function toCustom(option: string, value: string | number | boolean): readonly string[] {
  if (value === false) return [];
  return value === true || value === '' ? [`--${option}`] : [`--${option}=${value}`];
}

/** sbatch puts values in for `%` and a letter. */
const toPattern = (path: string): string => path.replaceAll('%', '%%').replaceAll('{index}', '%a');

const toLimit = (maxRunning: number | undefined): string =>
  maxRunning === undefined ? '' : `%${maxRunning}`;

function toTime(seconds: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `${Math.floor(seconds / 86_400)}-${two((seconds % 86_400) / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
}

const toDependency = (spec: JobSpec, native: (jobId: string) => string): string | undefined =>
  spec.dependencies.length === 0
    ? undefined
    : spec.dependencies.map(({ condition, job_id }) => `${condition}:${native(job_id)}`).join(',');
