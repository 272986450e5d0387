import { type JobState, jobSpecSchema } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { applyLine, createJob, type Job } from './job.js';
import { planEvents, type Sighting, summarize } from './plan-events.js';

const newJob = (indices?: string): Job =>
  createJob({
    id: 'a',
    owner: 'ada',
    session: null,
    executor: 'local',
    spec: jobSpecSchema.parse({ executable: 'x', ...(indices === undefined ? {} : { array: { indices } }) }),
    submittedAtMs: 0,
    submissionKey: null,
  });
const seen = (state: JobState, index: number | null = null, hasRun = true): Sighting => ({
  index,
  state,
  exitCode: state === 'COMPLETED' ? 0 : state === 'FAILED' ? 1 : null,
  message: null,
  hasRun,
});
/** The events of one look, applied. */
const look = (job: Job, ...sightings: readonly Sighting[]) => {
  const events = planEvents(job, sightings, 1000);
  for (const event of events) applyLine(job, { kind: 'event', event });
  return events.map(({ seq, index, state, exit_code }) => [seq, index, state, exit_code]);
};

describe('the events of a job', () => {
  it('follow what was seen, and say that it began before it ended', () => {
    const job = newJob();
    expect(look(job, seen('QUEUED'))).toEqual([[1, null, 'QUEUED', null]]);
    expect(look(job, seen('QUEUED'))).toEqual([]);
    expect(look(job, seen('FAILED'))).toEqual([
      [2, null, 'ACTIVE', null],
      [3, null, 'FAILED', 1],
    ]);
    expect(job).toMatchObject({ state: 'FAILED', exitCode: 1, seq: 3, endedAtMs: 1000 });
  });

  it('do not say that it began when it did not', () => {
    const job = newJob();
    look(job, seen('QUEUED'));
    expect(look(job, seen('CANCELED', null, false))).toEqual([[2, null, 'CANCELED', null]]);
  });

  it('stop at the end, whatever is seen later', () => {
    const job = newJob();
    look(job, seen('COMPLETED'));
    expect(look(job, seen('ACTIVE'), seen('FAILED'), seen('QUEUED'))).toEqual([]);
  });

  it('let a scheduler put a job back into its queue', () => {
    const job = newJob();
    look(job, seen('ACTIVE'));
    expect(look(job, seen('QUEUED'))).toEqual([[2, null, 'QUEUED', null]]);
  });

  it('sum up an array', () => {
    const job = newJob('1-2');
    expect(look(job, seen('QUEUED', 1), seen('QUEUED', 2))).toEqual([
      [1, 1, 'QUEUED', null],
      [2, 2, 'QUEUED', null],
      [3, null, 'QUEUED', null],
    ]);
    expect(look(job, seen('COMPLETED', 1), seen('FAILED', 7))).toEqual([
      [4, 1, 'ACTIVE', null],
      [5, 1, 'COMPLETED', 0],
      [6, null, 'ACTIVE', null],
    ]);
    expect(look(job, seen('FAILED', 2))).toEqual([
      [7, 2, 'ACTIVE', null],
      [8, 2, 'FAILED', 1],
      [9, null, 'FAILED', 1],
    ]);
  });

  it('are numbered without gaps, end once, and leave the job as its journal says, whatever is seen', () => {
    const states = fc.constantFrom<JobState>('NEW', 'QUEUED', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELED');
    const sightings = fc.array(
      fc.record({ state: states, index: fc.constantFrom(0, 1, 2), hasRun: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(sightings), fc.boolean(), (looks, isArray) => {
        const job = newJob(isArray ? '0-2' : undefined);
        const events = looks.flatMap((all) =>
          look(job, ...all.map(({ state, index, hasRun }) => seen(state, isArray ? index : null, hasRun))),
        );
        expect(events.map(([seq]) => seq)).toEqual(events.map((_event, at) => at + 1));
        for (const index of isArray ? [null, 0, 1, 2] : [null]) {
          const own = events.filter((event) => event[1] === index).map((event) => String(event[2]));
          const ends = own.filter((state) => ['COMPLETED', 'FAILED', 'CANCELED'].includes(state));
          expect(ends.length).toBeLessThanOrEqual(1);
          if (ends.length === 1) expect(own.at(-1)).toBe(ends[0]);
        }
        const whole = summarize(job.tasks.map(({ state, exit_code }) => ({ state, exitCode: exit_code })));
        expect(job.state).toBe(whole.state);
      }),
    );
  });
});
