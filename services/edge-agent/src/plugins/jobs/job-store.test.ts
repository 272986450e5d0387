import { appendFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobSpecSchema } from '@gantry/contracts';
import { newId, silentLogger } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { JobStore } from './job-store.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-job-store-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = () => JobStore.open(folder, silentLogger);
const add = (store: JobStore) =>
  store.add({
    id: newId(),
    owner: 'ada',
    session: null,
    executor: 'local',
    spec: jobSpecSchema.parse({ executable: '/bin/true', environment: { A: 'ä' } }),
    submittedAtMs: 1,
    submissionKey: null,
  });
const event = (id: string, seq: number, state: 'QUEUED' | 'COMPLETED', atMs = 1000) =>
  ({
    kind: 'event',
    event: {
      job_id: id,
      seq,
      time: new Date(atMs).toISOString(),
      index: null,
      state,
      exit_code: null,
      message: null,
    },
  }) as const;

describe('the jobs on the disk', () => {
  it('are the same after a restart', async () => {
    const store = await open();
    const job = await add(store);
    await store.append(job, [{ kind: 'native', id: '12' }, event(job.id, 1, 'QUEUED')]);
    await store.append(job, [
      { kind: 'cancel', atMs: 5 },
      { kind: 'sent', seq: 1 },
    ]);
    expect((await open()).all()).toEqual([job]);
  });

  it('lose half a line that the machine stopped in, and nothing else', async () => {
    const store = await open();
    const job = await add(store);
    await store.append(job, [event(job.id, 1, 'QUEUED')]);
    const journal = join(folder, job.id, 'journal');
    const whole = await readFile(journal, 'utf8');
    await appendFile(journal, '{"kind":"event","ev');
    const again = await open();
    expect(again.get(job.id)).toEqual(job);
    expect(await readFile(journal, 'utf8')).toBe(whole);
  });

  it('do not include one whose submission was never answered', async () => {
    const id = newId();
    await mkdir(join(folder, id));
    await appendFile(join(folder, id, 'journal'), '{"id":"');
    expect((await open()).all()).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('do not stand in the way of the others when one cannot be read', async () => {
    const store = await open();
    const [first, second] = [await add(store), await add(store)];
    await appendFile(join(folder, first.id, 'journal'), 'nonsense\n{}\n');
    expect((await open()).all().map(({ id }) => id)).toEqual([second.id]);
    expect(new Set(await readdir(folder))).toEqual(new Set([first.id, second.id]));
  });

  it('are written once they can be again, in order, when the disk failed in between', async () => {
    const store = await open();
    const job = await add(store);
    const journal = join(folder, job.id, 'journal');
    const whole = await readFile(journal);
    await rm(journal);
    await mkdir(journal);
    await expect(store.append(job, [event(job.id, 1, 'QUEUED')])).rejects.toMatchObject({ code: 'EISDIR' });
    await rm(journal, { recursive: true });
    await appendFile(journal, whole);
    await store.append(job, [event(job.id, 2, 'COMPLETED')]);
    expect((await open()).get(job.id)).toMatchObject({ state: 'COMPLETED', seq: 2 });
  });

  it('are bounded: the oldest that have ended go first, open ones stay', async () => {
    const store = await open();
    const jobs = [await add(store), await add(store), await add(store), await add(store)];
    const [isOpen, ...rest] = jobs;
    for (const [at, job] of rest.entries())
      await store.append(job, [event(job.id, 1, 'COMPLETED', 1000 + at), { kind: 'sent', seq: 1 }]);
    const unsent = await add(store);
    await store.append(unsent, [event(unsent.id, 1, 'COMPLETED', 1)]);
    await store.sweep({ maxEndedJobs: 2, maxAgeMs: 1e9 }, 2000);
    expect(store.all().map(({ id }) => id)).toEqual([isOpen?.id, rest[1]?.id, rest[2]?.id, unsent.id]);
    await store.sweep({ maxEndedJobs: 2, maxAgeMs: 100 }, 1101.5);
    expect(store.all().map(({ id }) => id)).toEqual([isOpen?.id, rest[2]?.id, unsent.id]);
    expect(new Set(await readdir(folder))).toEqual(new Set(store.all().map(({ id }) => id)));
  });
});
