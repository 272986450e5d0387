/** A job spec as options of sbatch. Pure. */
import type { JobSpec } from '@gantry/contracts';
import type { FieldError } from '@gantry/kernel';
import { findShellVariables } from '../shell-variables.js';

/**
 * What a caller may say beside the fields of the spec, as `slurm.<option>` (sbatch(1)). An option of the wrong kind would
 * take the word behind it for its value, or its value for the name of the script.
 */
const valueOptions: ReadonlySet<string> = new Set([
  ...['acctg-freq', 'batch', 'bb', 'begin', 'cluster-constraint', 'comment', 'constraint', 'core-spec'],
  ...['cores-per-socket', 'cpu-freq', 'cpus-per-gpu', 'deadline', 'delay-boot', 'distribution', 'exclude'],
  ...['extra-node-info', 'gpu-bind', 'gpu-freq', 'gpus', 'gpus-per-node', 'gpus-per-socket', 'gres'],
  ...['gres-flags', 'hint', 'licenses', 'mail-type', 'mail-user', 'mcs-label', 'mem-bind', 'mem-per-cpu'],
  ...['mem-per-gpu', 'mincpus', 'network', 'nodelist', 'ntasks-per-core', 'ntasks-per-gpu'],
  ...['ntasks-per-socket', 'oom-kill-step', 'power', 'prefer', 'priority', 'profile', 'qos', 'segment'],
  ...['signal', 'sockets-per-node', 'switches', 'thread-spec', 'threads-per-core', 'time-min', 'tmp'],
  ...['tres-per-task', 'wait-all-nodes', 'wckey'],
]);
const flagOptions: ReadonlySet<string> = new Set([
  ...['contiguous', 'no-requeue', 'overcommit', 'oversubscribe', 'reboot', 'requeue', 'spread-job'],
  ...['stepmgr', 'use-min-nodes'],
]);
/** With a value or without. */
const freeOptions: ReadonlySet<string> = new Set(['exclusive', 'nice', 'no-kill', 'propagate', 'resv-ports']);

/** Of each of these sbatch takes the last one that is said, without a word about the others. */
const rivals: readonly (readonly string[])[] = [
  ['requeue', 'no-requeue'],
  ['exclusive', 'oversubscribe'],
  ['mem', 'mem-per-cpu', 'mem-per-gpu'],
];

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
  'ntasks-per-node': 'resources.processes_per_node',
  output: 'stdout_path',
  partition: 'queue',
  reservation: 'reservation',
  time: 'duration',
};

const prefix = 'slurm.';
const optionOf = (key: string): string => key.slice(prefix.length).replaceAll('_', '-');

export function findUnsupportedBySlurm(spec: JobSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (field: string, detail: string) =>
    errors.push({ pointer: `/body/spec/${field}`, detail: `${field}: ${detail}` });
  const said = new Map<string, string>();
  if (spec.resources.memory !== undefined) said.set('mem', 'resources.memory');
  if (spec.resources.exclusive === true) said.set('exclusive', 'resources.exclusive');
  if (spec.constraints !== undefined) said.set('constraint', 'constraints');
  for (const [key, value] of Object.entries(spec.custom_attributes)) {
    const field = `custom_attributes/${key}`;
    const problem = findAttributeProblem(key, value, said);
    if (problem !== undefined) refuse(field, problem);
    if (value !== false) said.set(optionOf(key), key);
  }
  for (const field of ['stdin_path', 'stdout_path', 'stderr_path'] as const)
    if (/[\\\p{Cc}]/u.test(spec[field] ?? ''))
      refuse(field, 'Slurm takes no backslashes or control characters in it');
  if (/\p{Cc}/u.test(spec.directory ?? '')) refuse('directory', 'must not contain control characters');
  return [...errors, ...findShellVariables(spec)];
}

/** @param said options that were asked for so far, and where */
function findAttributeProblem(
  key: string,
  value: string | number | boolean,
  said: ReadonlyMap<string, string>,
): string | undefined {
  if (!key.startsWith(prefix)) return 'the executor slurm knows attributes that begin with "slurm."';
  const option = optionOf(key);
  if (Object.hasOwn(ownFields, option)) return `use the field ${ownFields[option]}`;
  const isFlag = flagOptions.has(option);
  const isFree = freeOptions.has(option);
  if (!isFlag && !isFree && !valueOptions.has(option))
    return `the executor slurm does not know the option ${option}`;
  if (/\p{Cc}/u.test(String(value))) return 'must not contain control characters';
  if (isFlag && typeof value !== 'boolean') return 'must be true or false';
  if (!isFlag && !isFree && (typeof value === 'boolean' || value === '')) return 'needs a value';
  if (value === false) return undefined;
  const rival = [option, ...(rivals.find((group) => group.includes(option)) ?? [])].find((one) =>
    said.has(one),
  );
  return rival === undefined ? undefined : `${said.get(rival)} says otherwise already`;
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
    ['ntasks-per-node', resources.processes_per_node],
    ['cpus-per-task', resources.cores_per_process],
    ['gpus-per-task', resources.gpus_per_process],
    ['mem', resources.memory === undefined ? undefined : `${Math.ceil(resources.memory / 1024 ** 2)}M`],
    ['array', array === undefined ? undefined : `${array.indices}${toLimit(array.max_running)}`],
    ['dependency', toDependency(spec, native)],
    ['kill-on-invalid-dep', 'yes'],
  ];
  // gpus-per-task needs a number of tasks.
  const hasTasks = resources.processes !== undefined || resources.processes_per_node !== undefined;
  const needsTasks = resources.gpus_per_process !== undefined && !hasTasks;
  return [
    '--parsable',
    ...pairs.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    ...(needsTasks ? ['--ntasks=1'] : []),
    ...(resources.exclusive === true ? ['--exclusive'] : []),
    ...(spec.hold ? ['--hold'] : []),
    ...Object.entries(spec.custom_attributes).flatMap(([key, value]) => toCustom(optionOf(key), value)),
    paths.script,
  ];
}

function toCustom(option: string, value: string | number | boolean): readonly string[] {
  // Sites requeue unless told otherwise; the other flags are off unless they are said.
  if (value === false) return option === 'requeue' ? ['--no-requeue'] : [];
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
