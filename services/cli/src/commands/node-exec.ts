/**
 * One program on a node, as if it ran here: a job of the node, whose outputs and exit code are passed on.
 *
 * I1. However this ends, the program does not go on: what is not waited for is cancelled.
 * I2. What it wrote is printed before this ends; a connection that breaks is made again.
 */
import { isGantryError, type JobsClient } from '@gantry/client';
import { isFinalJobState, type JobDetail } from '@gantry/contracts';
import type { Command } from 'commander';
import { note, type Output, printResult, writerTo } from '../terminal.js';
import { countOf, onAction } from './action.js';
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
const pollMs = 200;
/** For the end of a program that was told to end. */
const endingMs = 30_000;

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
      '\nNo shell reads the words; "-- sh -c ..." runs one. Ctrl-C ends the program. The exit code is that of the\nprogram; 124: it took longer than --timeout, 130: it was interrupted.',
    );
  onAction<ExecOptions>(command, async ({ bridge, output }, [name = '', executable, ...args], options) => {
    if (executable === undefined) throw new UsageError('name the program to run, after "--"');
    const jobs = bridge.node(name).plugin('jobs');
    const { job_id } = await jobs.submit({
      executable,
      arguments: args,
      name: 'exec',
      ...(options.directory === undefined ? {} : { directory: options.directory }),
      ...(options.env === undefined ? {} : { environment: toPairs(options.env) }),
    });
    process.exitCode = await attend(jobs, job_id, output, options);
  });
}

async function attend(
  jobs: JobsClient,
  id: string,
  output: Output,
  { keep, timeout }: ExecOptions,
): Promise<number> {
  let endedBy: 'interrupt' | 'timeout' | undefined;
  const end = (why: 'interrupt' | 'timeout') => {
    if (endedBy !== undefined) {
      // Whoever asks twice does not wait.
      if (why === 'interrupt') process.exit(interruptedCode);
      return;
    }
    endedBy = why;
    note(why === 'timeout' ? `it has taken ${timeout} s and is ended` : 'ending it; Ctrl-C again leaves it');
    jobs.cancel(id).catch((error: unknown) => {
      if (!isGantryError(error, 'job-finished')) note(`it could not be ended: ${String(error)}`);
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
    const [stdout, stderr] = await Promise.all([
      passOn(jobs, id, 'stdout', output),
      passOn(jobs, id, 'stderr', output),
    ]);
    const job = await untilEnded(jobs, id);
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
    await jobs.cancel(id).catch(() => undefined);
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

/** Prints one of its outputs as it comes; for programs it is kept and answered. I2 */
async function passOn(
  jobs: JobsClient,
  id: string,
  stream: 'stdout' | 'stderr',
  { isJson }: Output,
): Promise<string> {
  const kept: Uint8Array[] = [];
  const write = writerTo(process[stream]);
  for await (const piece of jobs.output(id, { stream, follow: true })) {
    if (isJson) kept.push(piece);
    else await write(piece);
  }
  return Buffer.concat(kept).toString('utf8');
}

/** The output may be complete a moment before the state says so. */
async function untilEnded(jobs: JobsClient, id: string): Promise<JobDetail> {
  const endMs = performance.now() + endingMs;
  for (;;) {
    const job = await jobs.show(id);
    if (isFinalJobState(job.state) || performance.now() > endMs) return job;
    await new Promise((wake) => setTimeout(wake, pollMs));
  }
}

function toPairs(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at < 1) throw new UsageError(`--env takes name=value, not "${word}"`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}
