/** How the contract of executors looks at jobs: as a caller of the plugin. */
import { type JobDetail, type JobEvent, jobDetailSchema } from '@gantry/contracts';
import type { CallInit } from '../test-support/start-agent.js';

const endMs = 60_000;

export type Call = (path: string, init?: CallInit) => Promise<Response>;

export const isOver = (state: string): boolean => ['COMPLETED', 'FAILED', 'CANCELED'].includes(state);

export async function showJob(call: Call, id: string): Promise<JobDetail> {
  const response = await call(`/jobs/jobs/${id}`);
  return jobDetailSchema.parse(await response.json());
}

export async function untilJob(
  call: Call,
  id: string,
  isWanted: (job: JobDetail) => boolean,
): Promise<JobDetail> {
  let last: JobDetail | undefined;
  try {
    return await until(async () => {
      last = await showJob(call, id);
      return isWanted(last) ? last : undefined;
    });
  } catch (error) {
    throw new Error(`The job is ${JSON.stringify(last)}`, { cause: error });
  }
}

export async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const giveUpMs = performance.now() + endMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > giveUpMs) throw new Error(`waited ${endMs} ms in vain`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Reads a stream of server-sent events that ends. */
export async function readEvents(response: Response): Promise<readonly JobEvent[]> {
  const text = await response.text();
  return text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)) as JobEvent);
}

/** What waits in the spool of an agent for its bridge, until every job has said its last word. */
export async function spooledEvents(call: Call, ids: readonly string[]): Promise<readonly JobEvent[]> {
  const leave = new AbortController();
  const response = await call('/agent/events', { rights: ['agent:bridge'], signal: leave.signal });
  const events: JobEvent[] = [];
  let rest = '';
  const over = new Set<string>();
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('data: ')) continue;
      const { topic, data } = JSON.parse(line.slice(6)) as { topic: string; data: JobEvent };
      if (topic !== 'job_status') continue;
      events.push(data);
      if (isOver(data.state)) over.add(data.job_id);
    }
    if (ids.every((id) => over.has(id))) break;
  }
  leave.abort();
  return events;
}
