/** The routes of the older plugin `psij`, in its own words. */
import { fromPsijSpec, jobExecutors, psijSubmitSchema } from '@gantry/contracts';
import { AppError, hasCode } from '@gantry/kernel';
import type { PluginCall, PluginReply, PluginRoute } from '../../core/ports.js';
import { isOpen, type Job } from './job.js';
import { demandJob } from './job-access.js';
import {
  cancelWaitMs,
  changeTimeoutMs,
  type JobRouteDeps,
  maxSpecBytes,
  submissionKeyOf,
} from './job-routes.js';
import { toPsijSummary } from './job-views.js';
import { readOutput, toText } from './read-output.js';

/** What one answer holds of each output; the rest comes with the next offset. */
const maxOutputBytes = 2 * 1024 * 1024;

export function buildPsijRoutes(deps: JobRouteDeps): readonly PluginRoute[] {
  const { jobs } = deps;
  const jobOf = (call: PluginCall): Job => demandJob(jobs, call.params['job_id'] ?? '', call.caller);
  return [
    {
      method: 'POST',
      path: '/submit/:sid',
      permission: 'jobs:submit',
      timeoutMs: changeTimeoutMs,
      handler: (call) => submit(call, deps),
    },
    {
      method: 'GET',
      path: '/status/:sid/:job_id',
      permission: 'jobs:read',
      handler: (call) => status(call, jobOf(call), deps),
    },
    {
      method: 'GET',
      path: '/list_jobs/:sid',
      permission: 'jobs:read',
      handler: async ({ session, caller }) => ({
        json: {
          jobs: jobs
            .all()
            .filter((job) => job.session === session?.sid && job.owner === caller.user)
            .map(toPsijSummary),
        },
      }),
    },
    {
      method: 'POST',
      path: '/cancel/:sid/:job_id',
      permission: 'jobs:cancel',
      timeoutMs: changeTimeoutMs,
      handler: (call) => cancel(call, jobOf(call), deps),
    },
  ];
}

async function submit(call: PluginCall, { jobs }: JobRouteDeps): Promise<PluginReply> {
  const { job_spec, executor: name } = await call.readJson(psijSubmitSchema, maxSpecBytes);
  const executor = jobExecutors.find((candidate) => candidate === name);
  if (executor === undefined)
    throw new AppError('invalid-request', `This node has no executor "${name}"`, {
      errors: [{ pointer: '/body/executor', detail: `must be one of ${jobExecutors.join(', ')}` }],
    });
  const job = await jobs.submit({
    owner: call.caller.user,
    session: call.session?.sid ?? null,
    executor,
    spec: fromPsijSpec(job_spec),
    submissionKey: submissionKeyOf(call),
  });
  return { json: { job_id: job.id, native_id: job.nativeId } };
}

async function status(call: PluginCall, job: Job, { outputPath }: JobRouteDeps): Promise<PluginReply> {
  const offsetOf = (name: string) => {
    const offset = Number(call.query.get(name) ?? 0);
    if (!Number.isSafeInteger(offset) || offset < 0)
      throw new AppError('invalid-request', `/query/${name}: must be a number of bytes`);
    return offset;
  };
  const index = job.tasks[0]?.index ?? null;
  const hasEnded = !isOpen(job);
  const read = async (stream: 'stdout' | 'stderr', offset: number) => {
    const piece = await readOutput(outputPath(job, stream, index), offset, maxOutputBytes);
    return toText(piece, hasEnded && piece.nextOffset >= piece.size);
  };
  const stdout = await read('stdout', offsetOf('stdout_offset'));
  const stderr = await read('stderr', offsetOf('stderr_offset'));
  return {
    json: {
      ...toPsijSummary(job),
      message: job.message,
      time: (job.endedAtMs ?? job.submittedAtMs) / 1000,
      directory: job.spec.directory ?? null,
      duration: job.spec.duration ?? null,
      stdout: stdout.text,
      stderr: stderr.text,
      stdout_offset: stdout.nextOffset,
      stderr_offset: stderr.nextOffset,
    },
  };
}

/** "canceled" is said when it is; a job that had ended keeps its own word. */
async function cancel(call: PluginCall, job: Job, { jobs }: JobRouteDeps): Promise<PluginReply> {
  try {
    await jobs.cancel(job, cancelWaitMs, call.signal);
  } catch (error) {
    if (!hasCode(error, 'job-finished')) throw error;
  }
  const isCanceling = isOpen(job);
  return {
    status: isCanceling ? 202 : 200,
    json: { job_id: job.id, status: isCanceling ? 'canceling' : job.state.toLowerCase() },
  };
}
