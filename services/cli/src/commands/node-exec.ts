/**
 * One program on a node, as if it ran here: a job of the node, whose outputs and exit code are passed on.
 *
 * I1. However this ends, the program does not go on: what is not waited for is cancelled. Where that is refused or the
 *     node stays away, what is last said is that it runs on, and as which job.
 * I2. What it wrote is printed before this ends; a connection that breaks is made again, as `jobs logs -f` does.
 */
import { isGantryError, isTransient, type JobsClient, type Patience } from '@gantry/client';
import type { JobDetail } from '@gantry/contracts';
import type { Command } from 'commander';
import { note, type Output, printResult, writerTo } from '../terminal.js';
import { textOf, waitNotes } from '../wait-notes.js';
import { countOf, onAction, toPairs } from './action.js';
import { untilFinal } from './job-end.js';
import { UsageError } from './usage-error.js';

interface ExecOptions {
  readonly timeout?: string;
  readonly directory?: string;
  readonly env?: readonly string[];
  readonly keep?: boolean;
}

/** As shells have them. */
const timedOutCode = 124;
const interruptedCode = 130;
const closedPipeCode = 141;

/** The program is not waited for: it could not be ended, or nobody wants to. */
class LeftError extends Error {}

/** The job, and how to find it again. */
interface Run {
  readonly node: string;
  readonly id: string;
}
const runsOn = ({ id, node }: Run): string =>
  `it runs on as job ${id}; gantry jobs logs -f ${id} --node ${node}`;

/** `gantry nodes exec NODE -- COMMAND ARG…` */
export function addExec(nodes: Command): void {
  const command = nodes
    .command('exec <name> [command...]')
    .description('Run a program on a node and wait for it: gantry nodes exec NAME -- uname -a')
    .option('--timeout <seconds>', 'end it after so long')
    .option('--directory <path>', 'where it runs, on the node')
    .option('--env <name=value...>', 'variables of its environment')
    .option('--keep', 'keep the job and its output on the node')
    .addHelpText(
      'after',
      '\nNo shell reads the words; "-- sh -c ..." runs one. Ctrl-C ends the program. The exit code is that of the\nprogram; 124: it took longer than --timeout, 130: it was interrupted. Standard input is not passed: the program\nreads nothing. For input there is "gantry jobs submit --stdin PATH", a file on the node.',
    );
  onAction<ExecOptions>(command, async ({ bridge, output }, [name = '', executable, ...args], options) => {
    if (executable === undefined) throw new UsageError('name the program to run, after "--"');
    const jobs = bridge.node(name).plugin('jobs');
    const { job_id } = await jobs.submit({
      executable,
      arguments: args,
      name: 'exec',
      ...(options.directory === undefined ? {} : { directory: options.directory }),
      ...(options.env === undefined ? {} : { environment: toPairs('--env', options.env) }),
    });
    process.exitCode = await attend(jobs, { node: name, id: job_id }, output, options);
  });
}

async function attend(
  jobs: JobsClient,
  run: Run,
  output: Output,
  { keep, timeout }: ExecOptions,
): Promise<number> {
  const { id, node } = run;
  const leave = new AbortController();
  let endedBy: 'interrupt' | 'timeout' | undefined;
  const end = (why: 'interrupt' | 'timeout') => {
    if (endedBy !== undefined) {
      // Whoever asks twice does not wait.
      if (why === 'interrupt')
        leave.abort(new LeftError(`it is being ended; gantry jobs show ${id} --node ${node}`));
      return;
    }
    endedBy = why;
    note(why === 'timeout' ? `it has taken ${timeout} s and is ended` : 'ending it; Ctrl-C again leaves it');
    jobs.cancel(id, { signal: leave.signal }).catch((error: unknown) => {
      if (isGantryError(error, 'job-finished')) return;
      leave.abort(new LeftError(`it could not be ended: ${textOf(error)}; ${runsOn(run)}`));
    });
  };
  const onSignal = () => end('interrupt');
  const timer =
    timeout === undefined
      ? undefined
      : setTimeout(() => end('timeout'), countOf('--timeout', timeout) * 1000);
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // Each write tells the same, and I1 holds for it.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    const waiting = { signal: leave.signal, onWait: waitNotes(`the node ${node}`) };
    const [stdout, stderr] = await Promise.all([
      passOn(jobs, id, { ...waiting, stream: 'stdout' }, output),
      passOn(jobs, id, { ...waiting, stream: 'stderr' }, output),
    ]);
    leave.signal.throwIfAborted();
    const job = await untilFinal(jobs, id, waiting);
    const code =
      endedBy === 'timeout' ? timedOutCode : endedBy === 'interrupt' ? interruptedCode : codeOf(job);
    if (output.isJson)
      printResult(output, { job_id: id, state: job.state, exit_code: job.exit_code, stdout, stderr }, '');
    else if (job.exit_code === null && endedBy === undefined)
      note(job.message ?? `the job ended as ${job.state}`);
    if (keep !== true) await jobs.remove(id).catch(() => undefined);
    return code;
  } catch (error) {
    // I1
    if (error instanceof LeftError) {
      note(error.message);
      return endedBy === 'timeout' ? timedOutCode : interruptedCode;
    }
    if (isTransient(error)) {
      note(runsOn(run));
      throw error;
    }
    await jobs.cancel(id).catch((failure: unknown) => {
      if (!isGantryError(failure, 'job-finished'))
        note(`it could not be ended: ${textOf(failure)}; ${runsOn(run)}`);
    });
    // Who closes what we write to, as `head` does, wants no more of it.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return closedPipeCode;
    throw error;
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

const codeOf = ({ exit_code, state }: JobDetail): number => exit_code ?? (state === 'COMPLETED' ? 0 : 1);

interface Following extends Patience {
  readonly stream: 'stdout' | 'stderr';
  readonly signal: AbortSignal;
}

/** Prints one of its outputs as it comes; for programs it is kept and answered. I2 */
async function passOn(
  jobs: JobsClient,
  id: string,
  following: Following,
  { isJson }: Output,
): Promise<string> {
  const kept: Uint8Array[] = [];
  const write = writerTo(process[following.stream]);
  for await (const piece of jobs.output(id, { ...following, follow: true })) {
    if (isJson) kept.push(piece);
    else await write(piece);
  }
  return Buffer.concat(kept).toString('utf8');
}
