import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Job } from '../../job.js';
import { outputPathOf, taskFile } from '../../job-folder.js';
import { makeOutputFolders } from '../../output-folders.js';
import { wrapperScript } from './wrapper.js';

export interface TaskPlace {
  readonly folder: string;
  /** Where it runs unless the spec says. */
  readonly home: string;
  /** Variables that every job has. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Starts a task in a session of its own, so that it goes on when the agent ends. Whether it began stands in its files.
 * @throws {Error} of the file system, in words for the caller: its folder or files cannot be used
 */
export async function startTask(job: Job, index: number | null, place: TaskPlace): Promise<ChildProcess> {
  const { spec } = job;
  const directory = spec.directory ?? place.home;
  const stdin = await openInput(spec.stdin_path, directory);
  const outputs = [];
  try {
    await makeOutputFolders(spec, [index], place.folder, directory).catch((error: unknown) => {
      throw new Error(outputFailure(error, directory), { cause: error });
    });
    const out = outputPathOf(job, place.folder, 'stdout', index, directory);
    const err = outputPathOf(job, place.folder, 'stderr', index, directory);
    outputs.push(await openOutput(out));
    // One file for both is opened once, so that neither overwrites the other.
    if (err !== out) outputs.push(await openOutput(err));
    const [stdout, stderr = stdout] = outputs;
    const files = [taskFile(place.folder, 'started', index), taskFile(place.folder, 'exit', index)];
    const child = spawn(
      '/bin/sh',
      ['-c', wrapperScript, 'gantry-job', ...files, spec.executable, ...spec.arguments],
      {
        cwd: directory,
        env: environmentOf(job, index, place),
        detached: true,
        stdio: [stdin.fd, stdout?.fd ?? 'ignore', stderr?.fd ?? 'ignore'],
      },
    );
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new Error(spawnFailure(error, directory), { cause: error })));
    });
    child.on('error', () => undefined);
    child.unref();
    return child;
  } finally {
    await stdin.close();
    for (const output of outputs) await output.close();
  }
}

/** What findProcesses looks for. */
export const markOf = (jobId: string, index: number | null): string =>
  index === null ? `GANTRY_TASK=${jobId}` : `GANTRY_TASK=${jobId}/${index}`;

function environmentOf(job: Job, index: number | null, { environment }: TaskPlace): Record<string, string> {
  const [, mark = ''] = markOf(job.id, index).split('=');
  return {
    ...environment,
    ...job.spec.environment,
    GANTRY_JOB_ID: job.id,
    GANTRY_TASK: mark,
    ...(index === null ? {} : { GANTRY_ARRAY_INDEX: String(index) }),
  };
}

async function openInput(path: string | undefined, directory: string) {
  const whole = path === undefined ? '/dev/null' : isAbsolute(path) ? path : join(directory, path);
  try {
    // A named pipe must not hold the agent up.
    return await open(whole, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new Error(`stdin_path: ${messageFor(error, whole)}`, { cause: error });
  }
}

async function openOutput(path: string) {
  try {
    const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND, O_NONBLOCK } = constants;
    return await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NONBLOCK, 0o600);
  } catch (error) {
    throw new Error(outputFailure(error, path), { cause: error });
  }
}

const outputFailure = (error: unknown, path: string): string =>
  `the output cannot be written: ${messageFor(error, path)}`;

const messageFor = (error: unknown, path: string): string =>
  `${path}: ${(error as NodeJS.ErrnoException).code ?? 'cannot be opened'}`;

/** The program is a shell that is always there, so what is missing or denied is the directory. */
export function spawnFailure({ code, message }: NodeJS.ErrnoException, directory: string): string {
  if (code === 'ENOENT' || code === 'ENOTDIR') return `the directory ${directory} is not there`;
  if (code === 'EACCES' || code === 'EPERM' || code === 'ELOOP' || code === 'ENAMETOOLONG')
    return `the directory ${directory} cannot be entered: ${code}`;
  return `the job cannot be started in ${directory}: ${code ?? message}`;
}
