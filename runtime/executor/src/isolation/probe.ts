import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { messageOf } from '@gantry/kernel';
import type { LaunchPlan } from '../languages/language.js';
import { type Isolation, IsolationError } from './isolation.js';

/** A folder that everybody can enter, to try a level with; the programs are not staged yet. */
export const probedFolder = '/usr/lib';
const probeWithinMs = 10_000;
const keptChars = 2000;
/** Small programs that every system has one of; the answer is their exit code. */
const trivialPrograms = ['/usr/bin/true', '/bin/true'] as const;
/** What the trivial program needs of memory and disk. */
const probeBounds = { residentMiB: 64, scratchMiB: 1 };

/** Known last words, and what to do about them. */
const remedies: readonly (readonly [pattern: RegExp, remedy: string])[] = [
  [
    /cgroup/i,
    'control groups cannot be made here, which limit memory and processes: run the platform as root outside of containers, or give it a writable /sys/fs/cgroup',
  ],
  [
    /mount proc|\/proc/i,
    'a container without its own /proc mounts or with a read-only /proc/sys cannot nest one: run the platform outside of it, or give it unmasked /proc (docker: --security-opt systempaths=unconfined)',
  ],
  [
    /namespace|uid map|setting up uid|clone|unshare/i,
    'user namespaces are closed: allow them (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces > 0, kernel.apparmor_restrict_unprivileged_userns=0)',
  ],
];

/** runc's last words are a log, of which the error counts. */
const loggedError = /level=error msg="((?:[^"\\]|\\.)*)"/;

function explain(said: string): string {
  const lastWords = loggedError.exec(said)?.[1] ?? said;
  const remedy = remedies.find(([pattern]) => pattern.test(lastWords))?.[1];
  return remedy === undefined ? lastWords : `${lastWords}; ${remedy}`;
}

/**
 * Runs a trivial program exactly as functions are run.
 * @throws {IsolationError} with what the wrapper said on stderr, when it does not end well in ten seconds
 */
export async function probeIsolation(isolation: Isolation, readableFolder: string): Promise<void> {
  const file = trivialPrograms.find((candidate) => existsSync(candidate));
  if (file === undefined)
    throw new IsolationError(isolation.level, 'there is no /usr/bin/true to try it with');
  const failure = await whyNotStarted(isolation, { file, args: [], readableFolder }, 'level');
  if (failure !== undefined) throw new IsolationError(isolation.level, explain(failure));
}

/**
 * Runs a program at a level and answers what was wrong when it did not end well in ten seconds.
 * @param first `level`: what the level knows about the end counts more than what was written, `words`: the other way
 * round, where the level itself is known to work
 */
export function whyNotStarted(
  isolation: Isolation,
  plan: LaunchPlan,
  first: 'level' | 'words',
): Promise<string | undefined> {
  const launch = isolation.launch(plan, probeBounds);
  return new Promise<string | undefined>((resolve) => {
    const child = spawn(launch.file, [...launch.args], launch.options);
    const started = launch.started?.(child);
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-keptChars);
    });
    const timer = setTimeout(() => {
      resolve('it did not start within ten seconds');
      if (started === undefined) child.kill('SIGKILL');
      else started.kill();
    }, probeWithinMs);
    child.once('error', (error) => resolve(messageOf(error)));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const texts = [started?.ended()?.text, said.trim()];
      if (first === 'words') texts.reverse();
      resolve(code === 0 ? undefined : texts.find(Boolean) || `exit ${code ?? signal}`);
    });
  });
}
