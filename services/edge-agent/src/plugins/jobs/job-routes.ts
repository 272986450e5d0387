import { jobExecutors, jobStates, jobSubmitSchema } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import { z } from 'zod';
import type { PluginCall, PluginReply, PluginRoute, ServerEvent } from '../../core/ports.js';
import { parseWith } from '../../core/read-body.js';
import { isOpen, type Job } from './job.js';
import { demandJob, mayAdminister } from './job-access.js';
import type { OutputStream } from './job-folder.js';
import { toDetail, toSummary } from './job-views.js';
import type { Jobs } from './jobs.js';
import { readOutput } from './read-output.js';

export interface JobRouteDeps {
  readonly jobs: Jobs;
  readonly outputPath: (job: Job, stream: OutputStream, index: number | null) => string;
}

/** Arguments of a process have a bound of the kernel; a spec is kept in memory as long as its job. */
export const maxSpecBytes = 256 * 1024;
export const cancelWaitMs = 20_000;
const maxWaitMs = 20_000;
const outputPollMs = 200;
/** A program of a scheduler may take 30 s before it is given up. */
export const changeTimeoutMs = 90_000;

const listQuerySchema = z.strictObject({
  state: z.array(z.enum(jobStates)).default([]),
  executor: z.enum(jobExecutors).optional(),
  name: z.string().optional(),
  queue: z.string().optional(),
  /** Anybody else's, or `*`: for administrators. */
  owner: z.string().optional(),
  session: z.string().optional(),
  after: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

const outputQuerySchema = z.strictObject({
  offset: z.coerce.number().int().nonnegative().default(0),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(4 * 1024 * 1024)
    .default(256 * 1024),
  index: z.coerce.number().int().nonnegative().optional(),
  /** Waits so long for more output, or for the end. */
  wait_ms: z.coerce.number().int().min(0).max(maxWaitMs).default(0),
});

const eventsQuerySchema = z.strictObject({ after: z.coerce.number().int().nonnegative().optional() });

export function buildJobRoutes({ jobs, outputPath }: JobRouteDeps): readonly PluginRoute[] {
  const route = (
    method: PluginRoute['method'],
    path: string,
    permission: string,
    handler: PluginRoute['handler'],
  ): PluginRoute => ({
    method,
    path,
    permission,
    handler,
    ...(method === 'GET' ? {} : { timeoutMs: changeTimeoutMs }),
  });
  const jobOf = (call: PluginCall): Job => demandJob(jobs, call.params['id'] ?? '', call.caller);
  return [
    route('GET', '/executors', 'jobs:read', async () => ({
      json: { executors: jobs.executors.map(({ name }) => name) },
    })),
    route('POST', '/jobs', 'jobs:submit', (call) => submit(call, jobs)),
    route('GET', '/jobs', 'jobs:read', async (call) => list(call, jobs)),
    route('GET', '/jobs/:id', 'jobs:read', async (call) => ({ json: toDetail(jobOf(call)) })),
    route('DELETE', '/jobs/:id', 'jobs:cancel', async (call) => {
      await jobs.remove(jobOf(call));
      return {};
    }),
    route('POST', '/jobs/:id/cancel', 'jobs:cancel', async (call) => {
      const job = await jobs.cancel(jobOf(call), cancelWaitMs, call.signal);
      return { status: isOpen(job) ? 202 : 200, json: toSummary(job) };
    }),
    route('POST', '/jobs/:id/hold', 'jobs:submit', (call) => setHeld(jobOf(call), true, jobs)),
    route('POST', '/jobs/:id/release', 'jobs:submit', (call) => setHeld(jobOf(call), false, jobs)),
    route('GET', '/jobs/:id/output/:stream', 'jobs:read', (call) =>
      output(call, jobOf(call), jobs, outputPath),
    ),
    route('GET', '/jobs/:id/events', 'jobs:read', async (call) => {
      const job = jobOf(call);
      const { after } = parseWith(eventsQuerySchema, Object.fromEntries(call.query), '/query');
      const last = Number(call.headers['last-event-id'] ?? 0);
      return { events: follow(job, after ?? (Number.isInteger(last) ? last : 0), jobs, call.signal) };
    }),
  ];
}

async function submit(call: PluginCall, jobs: Jobs): Promise<PluginReply> {
  const { executor, spec } = await call.readJson(jobSubmitSchema, maxSpecBytes);
  const job = await jobs.submit({
    owner: call.caller.user,
    session: null,
    executor,
    spec,
    submissionKey: submissionKeyOf(call),
  });
  return { status: 201, json: toSummary(job) };
}

/** @throws {AppError} invalid-request */
export function submissionKeyOf({ headers }: PluginCall): string | null {
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(key))
    throw new AppError('invalid-request', '/headers/idempotency-key: must be 1 to 128 visible characters');
  return key;
}

function list(call: PluginCall, jobs: Jobs): PluginReply {
  const query = { ...Object.fromEntries(call.query), state: call.query.getAll('state') };
  const wanted = parseWith(listQuerySchema, query, '/query');
  const owner = wanted.owner ?? call.caller.user;
  if (owner !== call.caller.user && !mayAdminister(call.caller))
    throw new AppError('forbidden', 'Jobs of others are for those with the right jobs:admin');
  const fits = (job: Job): boolean =>
    (owner === '*' || job.owner === owner) &&
    (wanted.state.length === 0 || wanted.state.includes(job.state)) &&
    (wanted.executor === undefined || job.executor === wanted.executor) &&
    (wanted.name === undefined || job.spec.name === wanted.name) &&
    (wanted.queue === undefined || job.spec.queue === wanted.queue) &&
    (wanted.session === undefined || job.session === wanted.session) &&
    (wanted.after === undefined || job.id < wanted.after);
  const found = jobs.all().filter(fits).reverse();
  const page = found.slice(0, wanted.limit);
  const next = found.length > page.length ? (page.at(-1)?.id ?? null) : null;
  return { json: { jobs: page.map(toSummary), next } };
}

async function setHeld(job: Job, isHeld: boolean, jobs: Jobs): Promise<PluginReply> {
  await jobs.setHeld(job, isHeld);
  return { json: toSummary(job) };
}

async function output(
  call: PluginCall,
  job: Job,
  jobs: Jobs,
  outputPath: JobRouteDeps['outputPath'],
): Promise<PluginReply> {
  const stream = call.params['stream'];
  if (stream !== 'stdout' && stream !== 'stderr')
    throw new AppError('route-not-found', 'A job has the outputs stdout and stderr');
  const query = parseWith(outputQuerySchema, Object.fromEntries(call.query), '/query');
  const index = query.index ?? null;
  const task = job.tasks.find((candidate) => candidate.index === index);
  if (task === undefined) {
    const detail = job.spec.array === undefined ? 'the job is no array' : 'names no element of the array';
    throw new AppError('invalid-request', `/query/index: ${detail}`);
  }
  const path = outputPath(job, stream, index);
  const endMs = performance.now() + query.wait_ms;
  for (;;) {
    // Read before the output, so that "it has ended" is never said too early.
    const state = task.state;
    const piece = await readOutput(path, query.offset, query.limit);
    const hasEnded = state === 'COMPLETED' || state === 'FAILED' || state === 'CANCELED';
    const leftMs = endMs - performance.now();
    if (piece.bytes.length > 0 || hasEnded || leftMs <= 0 || call.signal.aborted)
      return {
        bytes: piece.bytes,
        headers: {
          'content-type': 'application/octet-stream',
          'cache-control': 'no-store',
          'output-offset': String(piece.nextOffset),
          'output-size': String(piece.size),
          'output-complete': String(hasEnded && piece.nextOffset >= piece.size),
          'job-state': state,
        },
      };
    await jobs.nextChange(job, Math.min(outputPollMs, leftMs), call.signal);
  }
}

/** What happened after `seq`, then what happens, until the job has ended. */
async function* follow(job: Job, seq: number, jobs: Jobs, signal: AbortSignal): AsyncGenerator<ServerEvent> {
  let cursor = seq;
  while (!signal.aborted) {
    const wasOpen = isOpen(job);
    const news = job.seq > cursor ? await jobs.eventsAfter(job, cursor) : [];
    for (const event of news) {
      cursor = event.seq;
      yield { id: String(event.seq), event: 'job_status', data: event };
    }
    if (news.length > 0) continue;
    // A caller may ask from beyond the end.
    if (!wasOpen && job.seq <= cursor) return;
    // What is known and not written yet comes when the disk takes it.
    await jobs.nextChange(job, job.seq > cursor ? 1000 : 30_000, signal);
  }
}
