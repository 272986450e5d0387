/** Jobs in the queue, as squeue prints them. Pure. */
import type { QueuedJob } from '@gantry/contracts';
import {
  type Fields,
  linesOf,
  listOf,
  minutesOf,
  numberOf,
  parseDuration,
  parseMinutes,
  parseTime,
  textOf,
  timeOf,
  wordsOf,
} from './values.js';

const running = new Set([
  'RUNNING',
  'COMPLETING',
  'SUSPENDED',
  'STOPPED',
  'SIGNALING',
  'STAGE_OUT',
  'RESIZING',
]);

/** `squeue --json`: 22.05 and later. Without those that have ended, which it lists for a while. */
export function parseJobsJson(document: unknown, nowSeconds: number): readonly QueuedJob[] {
  return listOf(document, 'jobs')
    .map((job) => toJob(job, nowSeconds))
    .filter(
      ({ state }) =>
        state === 'PENDING' || state === 'CONFIGURING' || state === 'REQUEUED' || running.has(state),
    );
}

function toJob(job: Fields, nowSeconds: number): QueuedJob {
  const words = wordsOf(job['job_state']);
  // From 23.11 on the list says more: a job that is being ended is `["CANCELLED", "COMPLETING"]`.
  const state = words.includes('COMPLETING') ? 'COMPLETING' : (words[0] ?? 'UNKNOWN');
  const startTime = timeOf(job['start_time']);
  const hasBegun = running.has(state) && startTime !== null;
  const reason = textOf(job['state_reason']);
  return {
    job_id: idOf(job),
    job_name: textOf(job['name']),
    user: textOf(job['user_name']),
    partition: textOf(job['partition']),
    state,
    reason: reason === '' || reason === 'None' ? null : reason,
    nodes: numberOf(job['node_count']) ?? 0,
    cpus: numberOf(job['cpus']) ?? 0,
    time_limit: minutesOf(job['time_limit']),
    time_used: hasBegun ? Math.max(0, nowSeconds - startTime) : 0,
    submit_time: timeOf(job['submit_time']),
    start_time: startTime,
    priority: numberOf(job['priority']) ?? null,
    account: textOf(job['account']),
    node_list: textOf(job['nodes']),
  };
}

/** `12`, `12_3`, or `12_[4-9%2]` for elements that wait. */
function idOf(job: Fields): string {
  const array = numberOf(job['array_job_id']) ?? 0;
  const own = String(numberOf(job['job_id']) ?? '');
  if (array === 0) return own;
  const waiting = textOf(job['array_task_string']);
  if (waiting !== '') return `${array}_[${waiting}]`;
  const element = numberOf(job['array_task_id']);
  return element === undefined ? own : `${array}_${element}`;
}

/** For {@link parseJobsText}; the name is last, as it may hold the separator. */
export const jobsTextFormat = '%i|%P|%u|%T|%D|%C|%l|%M|%V|%S|%Q|%a|%N|%r|%j';
const columns = jobsTextFormat.split('|').length;

/** `squeue --noheader --format=…`: every version. */
export function parseJobsText(text: string): readonly QueuedJob[] {
  return linesOf(text).flatMap((line) => {
    const fields = line.split('|');
    if (fields.length < columns) return [];
    const [id = '', partition = '', user = '', state = '', nodes = '', cpus = '', limit = '', used = ''] =
      fields;
    const [submitted = '', started = '', priority = '', account = '', nodeList = '', reason = ''] =
      fields.slice(8);
    const seconds = parseDuration(used);
    return {
      job_id: id,
      job_name: fields.slice(columns - 1).join('|'),
      user,
      partition,
      state,
      reason: reason === '' || reason === 'None' ? null : reason,
      nodes: Number(nodes) || 0,
      cpus: Number(cpus) || 0,
      time_limit: parseMinutes(limit),
      // Unlike a limit, `5` alone does not occur: it prints `0:05`.
      time_used: typeof seconds === 'number' ? seconds : 0,
      submit_time: parseTime(submitted),
      start_time: parseTime(started),
      priority: Number.isNaN(Number(priority)) ? null : Number(priority),
      account: account === '(null)' ? '' : account,
      node_list: nodeList,
    };
  });
}
