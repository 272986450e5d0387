/**
 * Runs the programs of Slurm: without a shell, with a small environment of their own, a deadline, and a bound on what
 * they print.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { AppError } from '@gantry/kernel';

export interface SlurmSettings {
  /** Where sbatch and its like are; empty: in PATH. */
  readonly binFolder: string;
  /** slurm.conf; empty: what the programs take by themselves. */
  readonly conf: string;
  /** The environment of the programs, and of jobs; SLURM_CONF is added. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface SlurmCommands {
  /** Whether the program is there. */
  has(program: string): boolean;
  /**
   * What the program prints.
   * @throws {AppError} scheduler-unavailable when the controller cannot be reached; scheduler-refused with what the
   * program says when it fails otherwise
   * @throws {Error} at the deadline, or when it was killed: what was asked for may have been done
   */
  run(program: string, args: readonly string[], timeoutMs?: number): Promise<string>;
}

const defaultTimeoutMs = 30_000;
const maxOutputBytes = 128 * 1024 * 1024;

/** The request did not arrive. A time-out is none of these: it may have. */
const unreachable =
  /Unable to contact slurm controller \(connect failure\)|Connection refused|Munge encode failed|Invalid authentication credential|Unable to establish controller machine|Could not establish a configuration source|Unable to process configuration file/i;
const ambiguous = /timed out|Zero Bytes were transmitted|Communication connection failure|Unable to contact/i;

export function createSlurmCommands({ binFolder, conf, environment }: SlurmSettings): SlurmCommands {
  const folders = binFolder === '' ? (environment['PATH'] ?? '').split(delimiter) : [binFolder];
  const find = (program: string): string | undefined =>
    folders.map((folder) => join(folder, program)).find(isExecutable);
  const env = { ...environment, ...(conf === '' ? {} : { SLURM_CONF: conf }) };
  return {
    has: (program) => find(program) !== undefined,
    run: async (program, args, timeoutMs = defaultTimeoutMs) => {
      const path = find(program);
      if (path === undefined)
        throw new AppError('scheduler-unavailable', `The program ${program} is not installed on the node`);
      // Indices of arrays in full; not for sbatch, whose environment is that of the job.
      const own = program === 'sbatch' ? env : { ...env, SLURM_BITSTR_LEN: '0' };
      const { stdout, stderr, error } = await execute(path, args, own, timeoutMs);
      if (error === null) return stdout;
      const said = lastWords(stderr);
      if (error.killed === true) throw new Error(`${program} gave no answer within ${timeoutMs} ms`);
      // Ended by a signal, or without a word: who knows what it did.
      if (said === '' || error.signal != null) throw new Error(`${program} failed: ${said || error.message}`);
      if (unreachable.test(stderr)) throw new AppError('scheduler-unavailable', `${program}: ${said}`);
      if (ambiguous.test(stderr)) throw new Error(`${program}: ${said}`);
      throw new AppError('scheduler-refused', `${program}: ${said}`);
    },
  };
}

interface Execution {
  readonly stdout: string;
  readonly stderr: string;
  readonly error: {
    readonly message: string;
    readonly killed?: boolean | undefined;
    readonly signal?: NodeJS.Signals | null | undefined;
  } | null;
}

function execute(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<Execution> {
  return new Promise((resolve) => {
    const options = {
      env,
      cwd: '/',
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: maxOutputBytes,
      windowsHide: true,
    };
    execFile(path, args, options, (error, stdout, stderr) => resolve({ stdout, stderr, error }));
  });
}

/** What a program said last: in one line, without its name before each. */
const lastWords = (stderr: string): string =>
  stderr
    .split('\n')
    .map((line) => line.replace(/^\w+: error: /, '').trim())
    .filter((line) => line !== '')
    .slice(-3)
    .join('; ')
    .slice(0, 1000);

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
