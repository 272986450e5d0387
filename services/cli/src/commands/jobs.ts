import { readFileSync } from 'node:fs';
import { isTransient, type JobSpecInput, type JobsClient, type Patience } from '@gantry/client';
import { isFinalJobState, type JobDetail, type JobSummary, jobExecutors, jobStates } from '@gantry/contracts';
import { type Command, Option } from 'commander';
import type { Connection } from '../connection.js';
import { note, printResult, toTable, writerTo } from '../terminal.js';
import { waitNotes } from '../wait-notes.js';
import { countOf, numberOf, onAction, take, toPairs } from './action.js';
import { chooseNode } from './choose-node.js';
import { untilFinal } from './job-end.js';
import { UsageError } from './usage-error.js';

interface NodeOption {
  readonly node?: string;
}

/** `gantry jobs submit|ls|show|logs|cancel|hold|release|rm` */
export function addJobs(program: Command): void {
  const jobs = program.command('jobs').description('Programs that run on a node, or in its batch system');
  addSubmit(jobs);
  addList(jobs);
  onAction<NodeOption>(
    withNode(jobs.command('show <job>').description('Show what is known of a job')),
    async (connection, [id = ''], options) => {
      const job = await (await jobsOf(connection, options)).show(id);
      printResult(connection.output, job, toText(job));
    },
  );
  addLogs(jobs);
  const changes = [
    ['cancel', 'End a job', 'is ended'],
    ['hold', 'Keep a job that waits from beginning', 'is held'],
    ['release', 'Let a job that is held begin', 'may begin'],
  ] as const;
  for (const [verb, description, done] of changes)
    onAction<NodeOption>(
      withNode(jobs.command(`${verb} <job>`).description(description)),
      async (connection, [id = ''], options) => {
        const job = await (await jobsOf(connection, options))[verb](id);
        const text = job.is_canceling
          ? `The job ${id} is being ended`
          : `The job ${id} ${done}: ${job.state}`;
        printResult(connection.output, job, text);
      },
    );
  onAction<NodeOption>(
    withNode(jobs.command('rm <job>').description('Forget a job that has ended, and its output')),
    async (connection, [id = ''], options) => {
      await (await jobsOf(connection, options)).remove(id);
      printResult(connection.output, { removed: id }, `Removed ${id}`);
    },
  );
}

const withNode = (command: Command): Command =>
  command.option('--node <name>', 'the node (default: the only connected one)');

const jobsOf = async ({ bridge }: Connection, { node }: NodeOption): Promise<JobsClient> =>
  bridge.node(await chooseNode(bridge, node, 'jobs')).plugin('jobs');

interface SubmitOptions extends NodeOption {
  readonly executor?: (typeof jobExecutors)[number];
  readonly spec?: string;
  readonly name?: string;
  readonly directory?: string;
  readonly env?: readonly string[];
  readonly stdin?: string;
  readonly nodes?: string;
  readonly processes?: string;
  readonly cores?: string;
  readonly gpus?: string;
  readonly memory?: string;
  readonly seconds?: string;
  readonly queue?: string;
  readonly account?: string;
  readonly reservation?: string;
  readonly constraints?: string;
  readonly array?: string;
  readonly afterOk?: readonly string[];
  readonly hold?: boolean;
  readonly srun?: boolean;
  readonly set?: readonly string[];
}

function addSubmit(jobs: Command): void {
  const command = withNode(
    jobs
      .command('submit [executable] [args...]')
      .description(
        'Run a program: gantry jobs submit --executor slurm --seconds 600 -- ./simulate --steps 10',
      ),
  )
    .addOption(new Option('--executor <name>', 'what runs it').choices(jobExecutors).default('local'))
    .option('--spec <file>', 'the whole job spec as JSON; options below replace its fields')
    .option('--name <name>')
    .option('--directory <path>', 'where it runs, on the node')
    .option('--env <name=value...>', 'variables of its environment')
    .option('--stdin <path>', 'what it reads, on the node')
    .option('--nodes <count>')
    .option('--processes <count>')
    .option('--cores <count>', 'for each process')
    .option('--gpus <count>', 'for each process')
    .option('--memory <size>', 'of each node: 512M, 4G')
    .option('--seconds <count>', 'how long it may run')
    .option('--queue <name>')
    .option('--account <name>')
    .option('--reservation <name>')
    .option('--constraints <features>')
    .option('--array <indices>', 'run it once for each: 0-9, 1,5,9')
    .option('--after-ok <job...>', 'begin when these have completed')
    .option('--hold', 'wait until it is released')
    .option('--srun', 'start one copy for each process')
    .option('--set <name=value...>', 'more options of the executor: slurm.qos=high, slurm.contiguous=true');
  onAction<SubmitOptions>(command, async (connection, words, options) => {
    const spec = toSpec(words, options);
    const job = await (await jobsOf(connection, options)).submit(spec, { executor: options.executor });
    // The ID alone, for scripts: the rest is for people.
    printResult(connection.output, job, job.job_id);
    const native = job.executor === 'local' || job.native_id === null ? '' : ` ${job.native_id}`;
    if (!connection.output.isJson) note(`${job.state}, ${job.executor}${native}`);
  });
}

/** The options over what the file says; the node checks the rest. @throws {UsageError} */
function toSpec([executable, ...args]: readonly string[], options: SubmitOptions): JobSpecInput {
  const count = (name: 'cores' | 'gpus' | 'nodes' | 'processes' | 'seconds') =>
    options[name] === undefined ? undefined : countOf(`--${name}`, options[name]);
  const file = options.spec === undefined ? {} : readSpec(options.spec);
  const resources = given({
    nodes: count('nodes'),
    processes: count('processes'),
    cores_per_process: count('cores'),
    gpus_per_process: count('gpus'),
    memory: options.memory,
  });
  const spec = {
    ...file,
    ...given({
      executable,
      arguments: executable === undefined ? undefined : args,
      name: options.name,
      directory: options.directory,
      environment: options.env === undefined ? undefined : toPairs('--env', options.env),
      stdin_path: options.stdin,
      duration: count('seconds'),
      queue: options.queue,
      account: options.account,
      reservation: options.reservation,
      constraints: options.constraints,
      resources: Object.keys(resources).length === 0 ? undefined : resources,
      array: options.array === undefined ? undefined : { indices: options.array },
      dependencies: options.afterOk?.map((id) => ({ job_id: id, condition: 'afterok' })),
      hold: options.hold,
      launcher: options.srun === true ? 'srun' : undefined,
      custom_attributes: options.set === undefined ? undefined : toAttributes(options.set),
    }),
  };
  if (!('executable' in spec)) throw new UsageError('name the program to run, after "--"');
  return spec as JobSpecInput;
}

const given = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

function readSpec(path: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`the job spec ${path} cannot be read: ${String(error)}`);
  }
}

/** Flags of a scheduler are true or false; a text of that spelling needs `--spec`. */
const toAttributes = (words: readonly string[]): Record<string, string | boolean> =>
  Object.fromEntries(
    Object.entries(toPairs('--set', words)).map(([name, value]) => [
      name,
      value === 'true' || value === 'false' ? value === 'true' : value,
    ]),
  );

interface ListOptions extends NodeOption {
  readonly state?: (typeof jobStates)[number];
  readonly executor?: (typeof jobExecutors)[number];
  readonly owner?: string;
  readonly limit: string;
}

function addList(jobs: Command): void {
  const command = withNode(jobs.command('ls').description('List jobs, the newest first'))
    .addOption(new Option('--state <state>').choices(jobStates))
    .addOption(new Option('--executor <name>').choices(jobExecutors))
    .option('--owner <user>', 'whose jobs; "*": everybody\'s (administrators)')
    .option('--limit <count>', 'at most so many', '50');
  onAction<ListOptions>(command, async (connection, _words, options) => {
    const { state, executor, owner, limit } = options;
    const jobsClient = await jobsOf(connection, options);
    const filter = { executor, owner, ...(state === undefined ? {} : { state: [state] }) };
    const found = await take(jobsClient.list(filter), countOf('--limit', limit));
    const headings = ['JOB', 'NAME', 'EXECUTOR', 'NATIVE', 'STATE', 'EXIT', 'SUBMITTED', 'PROGRAM'];
    printResult(connection.output, found, toTable(headings, found.map(toRow), 'No jobs.'));
  });
}

const toRow = (job: JobSummary) => [
  job.job_id,
  job.name,
  job.executor,
  job.executor === 'local' ? null : job.native_id,
  job.is_held ? `${job.state} (held)` : job.state,
  job.exit_code,
  job.submitted_at,
  job.executable,
];

function toText(job: JobDetail): string {
  const rows = [
    ['state', job.is_canceling ? `${job.state} (being ended)` : job.state],
    ['exit code', job.exit_code],
    ['message', job.message],
    ['name', job.name],
    ['owner', job.owner],
    ['executor', `${job.executor} ${job.native_id ?? ''}`],
    ['queue', job.queue],
    ['account', job.account],
    [
      'program',
      [job.executable, ...job.arguments]
        .map((word) => JSON.stringify(word))
        .join(' ')
        .slice(0, 200),
    ],
    ['submitted', job.submitted_at],
    ['began', job.started_at],
    ['ended', job.ended_at],
  ];
  const whole = toTable([job.job_id, ''], rows, '');
  if (job.spec.array === undefined) return whole;
  const elements = job.tasks.map(({ index, state, exit_code, message }) => [
    index,
    state,
    exit_code,
    message,
  ]);
  return `${whole}\n\n${toTable(['ELEMENT', 'STATE', 'EXIT', 'MESSAGE'], elements, '')}`;
}

interface LogOptions extends NodeOption {
  readonly follow?: boolean;
  readonly stderr?: boolean;
  readonly index?: string;
}

function addLogs(jobs: Command): void {
  const command = withNode(
    jobs.command('logs <job>').description('Print the output of a job; as it is, unless to a terminal'),
  )
    .option('-f, --follow', 'go on until the job has ended')
    .option('--stderr', 'what it wrote to standard error')
    .option('--index <element>', 'of an array');
  onAction<LogOptions>(command, async (connection, [id = ''], options) => {
    const jobs = await jobsOf(connection, options);
    const onWait = waitNotes('the node');
    const pieces = jobs.output(id, {
      stream: options.stderr === true ? 'stderr' : 'stdout',
      follow: options.follow,
      index: options.index === undefined ? undefined : numberOf('--index', options.index),
      onWait,
    });
    try {
      if (connection.output.isJson) {
        const all: Uint8Array[] = [];
        for await (const piece of pieces) all.push(piece);
        printResult(connection.output, { output: Buffer.concat(all).toString('utf8') }, '');
      } else {
        const write = writerTo(process.stdout);
        for await (const piece of pieces) await write(piece);
      }
      if (options.follow === true) await sayHowEnded(jobs, id, onWait);
    } catch (error) {
      if (options.follow === true && isTransient(error))
        note('The job goes on; run this again when the node is back.');
      throw error;
    }
  });
}

/** The exit code stays that of the command, which did what it was asked for. */
async function sayHowEnded(jobs: JobsClient, id: string, onWait: Patience['onWait']): Promise<void> {
  const { exit_code: code, message, state } = await untilFinal(jobs, id, { onWait });
  if (!isFinalJobState(state) || state === 'COMPLETED') return;
  const reason = message ?? (code === null ? '' : `exit code ${code}`);
  note(`The job ended as ${state}${reason === '' ? '' : `: ${reason}`}`);
}
