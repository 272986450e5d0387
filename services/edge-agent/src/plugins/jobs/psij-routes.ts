/** The routes of the older plugin `psij`, in its own words. */
import {
  fromPsijSpec,
  jobExecutors,
  type PsijSpec,
  psijSubmitSchema,
  psijSubmitTunneledSchema,
} from '@gantry/contracts';
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
import { messageOf, toPsijSummary } from './job-views.js';
import type { Jobs } from './jobs.js';
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
      method: 'POST',
      path: '/submit_tunneled/:sid',
      permission: 'jobs:submit',
      timeoutMs: changeTimeoutMs,
      handler: (call) => submitEdge(call, deps),
    },
    {
      method: 'GET',
      path: '/tunnel_status/:edge_name',
      permission: 'jobs:read',
      // There never is one.
      handler: async ({ params }) => ({
        json: { edge_name: params['edge_name'], status: 'no_tunnel', port: null, pid: null },
      }),
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
  const { job_spec, executor } = await call.readJson(psijSubmitSchema, maxSpecBytes);
  return { json: await start(call, jobs, job_spec, executor) };
}

/**
 * A job that is an edge service. The tunnel that the original would open for it is not offered: it is an ssh that takes
 * any host for the right one, so that whoever sits between reads and changes what passes.
 */
async function submitEdge(call: PluginCall, { jobs }: JobRouteDeps): Promise<PluginReply> {
  const { job_spec, executor, tunnel } = await call.readJson(psijSubmitTunneledSchema, maxSpecBytes);
  const edgeName = findEdgeName(job_spec.arguments ?? []);
  if (edgeName === undefined) {
    const detail = 'job_spec/arguments: must say the name of the edge with -n or --name';
    throw new AppError('invalid-request', detail, {
      errors: [{ pointer: '/body/job_spec/arguments', detail }],
    });
  }
  if (tunnel)
    throw new AppError(
      'not-offered',
      'Edges are not started behind ssh tunnels, as those do not check who they talk to. Submit with "tunnel": false ' +
        'an edge that reaches its bridge by itself, or make jobs of this node: it is connected already',
    );
  return { json: { ...(await start(call, jobs, job_spec, executor)), edge_name: edgeName } };
}

/** `-n X`, `--name X` or `--name=X`. */
function findEdgeName(args: readonly string[]): string | undefined {
  for (const [at, word] of args.entries()) {
    if (word === '-n' || word === '--name') return args[at + 1];
    const [, name] = /^(?:--name=|-n)(.+)$/s.exec(word) ?? [];
    if (name !== undefined) return name;
  }
  return undefined;
}

async function start(call: PluginCall, jobs: Jobs, spec: PsijSpec, name: string) {
  const executor = jobExecutors.find((candidate) => candidate === name);
  if (executor === undefined)
    throw new AppError('invalid-request', `This node has no executor "${name}"`, {
      errors: [{ pointer: '/body/executor', detail: `must be one of ${jobExecutors.join(', ')}` }],
    });
  const job = await jobs.submit({
    owner: call.caller.user,
    session: call.session?.sid ?? null,
    executor,
    spec: fromPsijSpec(spec),
    submissionKey: submissionKeyOf(call),
  });
  return { job_id: job.id, native_id: job.nativeId };
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
      message: messageOf(job),
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
