import {
  type JobDetail,
  type JobEvent,
  type JobExecutorName,
  type JobState,
  type JobSummary,
  jobDetailSchema,
  jobEventSchema,
  jobListSchema,
  type jobSpecSchema,
  jobSummarySchema,
} from '@gantry/contracts';
import type { z } from 'zod';
import { GantryError, toUnreachableError } from './gantry-error.js';
import { Paged } from './paged.js';
import { PluginClient } from './plugin-client.js';
import { readEventStream } from './read-event-stream.js';
import { StallWatch } from './stall-watch.js';
import { Attempts, type Patience } from './transient.js';
import { type RequestOptions, readJson } from './transport.js';

/** What is to run; everything but the executable may be left out. */
export type JobSpecInput = z.input<typeof jobSpecSchema>;

export interface SubmitJobOptions extends RequestOptions {
  /** `local` unless given. */
  readonly executor?: JobExecutorName | undefined;
  /** The same key is the same job, however often it is sent. */
  readonly idempotencyKey?: string | undefined;
}

export interface JobFilter {
  readonly state?: readonly JobState[] | undefined;
  readonly executor?: JobExecutorName | undefined;
  readonly name?: string | undefined;
  readonly queue?: string | undefined;
  /** Somebody else's, or `*`: needs the right `jobs:admin`. */
  readonly owner?: string | undefined;
}

/** With `follow`, two and a half minutes of failures in passing are borne, unless it says otherwise. */
export interface JobOutputOptions extends Patience {
  readonly stream?: 'stdout' | 'stderr' | undefined;
  /** Element of an array. */
  readonly index?: number | undefined;
  /** Goes on until the job has ended. */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Longest wait of one request for more output. */
const followWaitMs = 15_000;
/** A node that starts again takes longer than a bridge, and the job goes on all the while. */
const followPatienceMs = 150_000;

/**
 * The plugin `jobs` of a node.
 *
 * @example
 * const jobs = bridge.node('hpc-login-1').plugin('jobs');
 * const { job_id } = await jobs.submit({ executable: '/bin/date' }, { executor: 'slurm' });
 * for await (const bytes of jobs.output(job_id, { follow: true })) process.stdout.write(bytes);
 */
export class JobsClient extends PluginClient {
  /** @throws {GantryError} invalid-request with what is not possible, scheduler-refused, too-many-concurrent */
  async submit(
    spec: JobSpecInput,
    { executor, idempotencyKey, ...options }: SubmitJobOptions = {},
  ): Promise<JobSummary> {
    const response = await this.request('jobs', {
      ...options,
      method: 'POST',
      body: JSON.stringify({ executor, spec }),
      headers: {
        'content-type': 'application/json',
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      },
    });
    return jobSummarySchema.parse(await readJson(response));
  }

  /** Newest first. */
  list({ state = [], ...filter }: JobFilter = {}): Paged<JobSummary> {
    return new Paged(async (cursor) => {
      const states = state.map((one) => `state=${one}`).join('&');
      const path = states === '' ? 'jobs' : `jobs?${states}`;
      const { jobs, next } = jobListSchema.parse(
        await this.get(path, { query: { ...filter, after: cursor } }),
      );
      return { items: jobs, next_cursor: next };
    });
  }

  /** @throws {GantryError} job-not-found */
  async show(id: string, options: RequestOptions = {}): Promise<JobDetail> {
    return jobDetailSchema.parse(await this.get(`jobs/${encodeURIComponent(id)}`, options));
  }

  /**
   * Ends a job. One that is still `is_canceling` when this resolves is being ended: its node goes on until it has.
   * @throws {GantryError} job-finished when it had ended by itself
   */
  cancel(id: string, options: RequestOptions = {}): Promise<JobSummary> {
    return this.#change(id, 'cancel', options);
  }
  /** Keeps a job that waits from beginning. @throws {GantryError} job-not-waiting */
  hold(id: string, options: RequestOptions = {}): Promise<JobSummary> {
    return this.#change(id, 'hold', options);
  }
  release(id: string, options: RequestOptions = {}): Promise<JobSummary> {
    return this.#change(id, 'release', options);
  }

  /** Forgets a job that has ended, and its output. @throws {GantryError} job-not-finished */
  async remove(id: string, options: RequestOptions = {}): Promise<void> {
    await this.request(`jobs/${encodeURIComponent(id)}`, { ...options, method: 'DELETE' });
  }

  /** The output piece by piece, from its beginning. With `follow`, a connection that breaks is made again. */
  async *output(
    id: string,
    {
      stream = 'stdout',
      index,
      follow = false,
      signal,
      patienceMs = followPatienceMs,
      onWait,
    }: JobOutputOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const path = `jobs/${encodeURIComponent(id)}/output/${stream}`;
    let offset = 0;
    const attempts = new Attempts({ patienceMs, onWait });
    while (signal?.aborted !== true) {
      const query = { offset, index, wait_ms: follow ? followWaitMs : 0 };
      let response: Response;
      let bytes: Uint8Array;
      // A signal of its own for each request: who follows for days must not gather listeners on the caller's.
      const watch = new StallWatch(`${this.url}/${path}`, signal);
      try {
        response = await this.request(path, { query, signal: watch.signal });
        bytes = await readPiece(response);
      } catch (error) {
        // A job goes on while its node cannot be reached, and so does who follows it.
        if (!follow) throw error;
        await attempts.after(error, signal);
        continue;
      } finally {
        watch.stop();
      }
      attempts.reset();
      const next = Number(response.headers.get('output-offset') ?? Number.NaN);
      if (!Number.isSafeInteger(next)) throw unexpected(`${this.url}/${path}`);
      offset = next;
      if (bytes.length > 0) yield bytes;
      if (response.headers.get('output-complete') === 'true' || (!follow && bytes.length === 0)) return;
    }
  }

  /** What happens to a job, from its beginning or after `seq`, until it has ended. */
  async *events(
    id: string,
    { after = 0, signal }: { readonly after?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<JobEvent, void, undefined> {
    const path = `jobs/${encodeURIComponent(id)}/events`;
    const response = await this.request(path, {
      query: { after },
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.body === null) throw unexpected(`${this.url}/${path}`);
    for await (const { data } of readEventStream(response.body)) yield jobEventSchema.parse(JSON.parse(data));
  }

  async #change(id: string, what: string, options: RequestOptions): Promise<JobSummary> {
    return jobSummarySchema.parse(
      await this.post(`jobs/${encodeURIComponent(id)}/${what}`, undefined, options),
    );
  }
}

async function readPiece(response: Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw toUnreachableError(error, response.url);
  }
}

const unexpected = (url: string): GantryError =>
  new GantryError({
    code: 'unexpected-answer',
    url,
    detail: `${url} answered something else than a job's output`,
  });
