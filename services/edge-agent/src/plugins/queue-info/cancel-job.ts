import { AppError, hasCode } from '@gantry/kernel';
import { mayCall } from '../../core/permissions.js';
import type { PluginCall, PluginReply } from '../../core/ports.js';
import type { SlurmCommands } from '../../slurm/slurm-commands.js';
import { readJobOwner } from '../jobs/job-owner.js';

const checkEveryMs = 250;
const checkForMs = 20_000;

export interface CancelDeps {
  readonly commands: SlurmCommands;
  /** Who the agent is for the scheduler. */
  readonly systemUser: string;
}

/**
 * Ends a job of the scheduler, and looks whether it ended. Own jobs are those that the caller submitted through the
 * plugin `jobs`: everybody who may use the node is one and the same user for the scheduler.
 * @throws {AppError} job-not-found, forbidden, scheduler-refused, scheduler-unavailable
 */
export async function cancelQueuedJob(call: PluginCall, id: string, deps: CancelDeps): Promise<PluginReply> {
  if (!/^\d{1,10}(_\d{1,10})?$/.test(id)) throw unknownJob(id);
  const found = await lookFor(id, deps.commands);
  if (found === undefined) throw unknownJob(id);
  await demandRight(call, id, found, deps.systemUser);
  await deps.commands.run('scancel', [id]);
  const endMs = performance.now() + checkForMs;
  while ((await lookFor(id, deps.commands)) !== undefined) {
    if (performance.now() > endMs || call.signal.aborted)
      return { status: 202, json: { job_id: id, status: 'canceling' } };
    await new Promise((resolve) => setTimeout(resolve, checkEveryMs));
  }
  return { json: { job_id: id, status: 'canceled' } };
}

interface FoundJob {
  readonly user: string;
  readonly script: string;
}

/** undefined: it waits or runs no more. */
async function lookFor(id: string, commands: SlurmCommands): Promise<FoundJob | undefined> {
  try {
    const printed = await commands.run('squeue', ['--noheader', `--jobs=${id}`, '--format=%u|%o']);
    const [line = ''] = printed.trim().split('\n');
    const at = line.indexOf('|');
    return at === -1 ? undefined : { user: line.slice(0, at), script: line.slice(at + 1) };
  } catch (error) {
    if (hasCode(error, 'scheduler-refused') && /Invalid job id/i.test(error.message)) return undefined;
    throw error;
  }
}

async function demandRight(
  { caller }: PluginCall,
  id: string,
  { user, script }: FoundJob,
  systemUser: string,
): Promise<void> {
  if (mayCall(caller.rights, 'queue-info:admin', 'queue-info')) return;
  if (user === systemUser && (await readJobOwner(script)) === caller.user) return;
  throw new AppError(
    'forbidden',
    `The job ${id} is not yours; the right queue-info:admin is needed to cancel it`,
  );
}

const unknownJob = (id: string): AppError =>
  new AppError('job-not-found', `No job ${id.slice(0, 32)} waits or runs here`);
