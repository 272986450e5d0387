/** What every executor of jobs keeps, seen by a caller of the plugin. Run it in a test with the real thing. */
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobListSchema, jobSummarySchema } from '@gantry/contracts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jobsPlugin } from '../plugins/jobs/index.js';
import { type CallInit, type RunningAgent, startAgent } from '../test-support/start-agent.js';
import { startAgentProcess } from '../test-support/start-agent-process.js';
import { type Call, isOver, readEvents, showJob, spooledEvents, until, untilJob } from './follow-jobs.js';
import { describeOlderJobClients } from './older-job-clients.contract.js';

export interface ExecutorContractOptions {
  readonly executor: 'local' | 'slurm';
  /** Settings of the plugin, once what it needs runs. */
  readonly settings: () => Readonly<Record<string, unknown>>;
}

export function describeJobExecutor({ executor, settings }: ExecutorContractOptions): void {
  describe(`the executor ${executor} keeps the contract of executors`, () => {
    let running: RunningAgent;
    let folder: string;
    const call: Call = (path, init) => running.call(path, init);

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'gantry-jobs-test-'));
      running = await startAgent([jobsPlugin], { settings: { jobs: settings() } });
    });
    afterAll(async () => {
      await running.stop();
      await rm(folder, { recursive: true, force: true });
    });

    const submit = async (spec: Record<string, unknown>, init: CallInit = {}) => {
      const response = await call('/jobs/jobs', { json: { executor, spec }, ...init });
      const body: unknown = await response.json();
      expect([response.status, body]).toEqual([201, expect.anything()]);
      return jobSummarySchema.parse(body);
    };
    const show = (id: string, from: Call = call) => showJob(from, id);
    const ended = (id: string) => untilJob(call, id, ({ state }) => isOver(state));
    const began = (id: string) => untilJob(call, id, ({ state }) => state === 'ACTIVE');
    const read = async (id: string, stream: string, index?: number) => {
      const query = index === undefined ? '' : `?index=${index}`;
      return (await call(`/jobs/jobs/${id}/output/${stream}${query}`)).text();
    };
    const cancel = (id: string) => call(`/jobs/jobs/${id}/cancel`, { method: 'POST' });
    const script = (text: string) => ({ executable: '/bin/sh', arguments: ['-c', text] });

    it('runs a program and keeps its output and exit code', async () => {
      const { job_id } = await submit({ ...script('echo out; echo err >&2; exit 7'), name: 'first' });
      const job = await ended(job_id);
      expect(job).toMatchObject({ state: 'FAILED', exit_code: 7, name: 'first', owner: 'ada', executor });
      expect(job.native_id).not.toBeNull();
      expect(await read(job_id, 'stdout')).toBe('out\n');
      expect(await read(job_id, 'stderr')).toBe('err\n');
      expect(await ended((await submit({ executable: '/bin/true' })).job_id)).toMatchObject({
        state: 'COMPLETED',
        exit_code: 0,
        message: null,
      });
    });

    it('hands arguments over as they are: no shell reads them', async () => {
      const nasty = [
        '$(touch pwned)',
        '`id`',
        "it's",
        '"quoted"',
        'a b\tc',
        'line\nbreak\r\nboth',
        '#SBATCH --partition=nowhere',
        '\n#SBATCH --partition=nowhere\n',
        '',
        '\\',
        '%j %% \\\\',
        '*',
        '~',
        '$HOME',
        '--output=/dev/null',
        ';exit 9',
        'ä€😀',
        '\u0001\u001b[31m',
      ];
      const program = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))';
      const { job_id } = await submit({
        executable: process.execPath,
        arguments: ['-e', program, '--', ...nasty],
        directory: folder,
      });
      expect(await ended(job_id)).toMatchObject({ state: 'COMPLETED' });
      expect(JSON.parse(await read(job_id, 'stdout'))).toEqual(nasty);
      await expect(access(join(folder, 'pwned'))).rejects.toMatchObject({ code: 'ENOENT' });
    });

    it('gives the environment, the directory and the input that were asked for, and nothing of the agent', async () => {
      await writeFile(join(folder, 'input.txt'), 'from a file');
      process.env['GANTRY_SECRET_OF_THE_AGENT'] = 'x';
      const { job_id } = await submit({
        ...script('pwd; cat; printf "\\n%s|%s|%s" "$PLAIN" "$NASTY" "$GANTRY_SECRET_OF_THE_AGENT"'),
        directory: folder,
        environment: { PLAIN: '1', NASTY: '\'$(id)\n\r"' },
        stdin_path: 'input.txt',
      });
      expect(await ended(job_id)).toMatchObject({ state: 'COMPLETED' });
      expect(await read(job_id, 'stdout')).toBe(`${folder}\nfrom a file\n1|'$(id)\n\r"|`);
    });

    it('writes the output where it was asked to', async () => {
      const { job_id } = await submit({
        ...script('echo out; echo err >&2'),
        directory: folder,
        stdout_path: 'my 100% output.txt',
        stderr_path: join(folder, 'errors'),
      });
      expect(await ended(job_id)).toMatchObject({ state: 'COMPLETED' });
      expect(await readFile(join(folder, 'my 100% output.txt'), 'utf8')).toBe('out\n');
      expect(await readFile(join(folder, 'errors'), 'utf8')).toBe('err\n');
      expect(await read(job_id, 'stdout')).toBe('out\n');
    });

    it('makes the folders of the output, and puts both outputs into one file when they are one', async () => {
      const { job_id } = await submit({
        ...script('echo out; echo err >&2; echo out again'),
        directory: folder,
        stdout_path: 'made/for it/both',
        stderr_path: 'made/for it/both',
      });
      expect(await ended(job_id)).toMatchObject({ state: 'COMPLETED' });
      expect(await readFile(join(folder, 'made/for it/both'), 'utf8')).toBe('out\nerr\nout again\n');
      const array = await submit({
        ...script('echo "$GANTRY_ARRAY_INDEX"'),
        array: { indices: '3,5' },
        directory: folder,
        stdout_path: 'element {index}/out',
      });
      expect(await ended(array.job_id)).toMatchObject({ state: 'COMPLETED' });
      expect(await readFile(join(folder, 'element 5/out'), 'utf8')).toBe('5\n');
      // The directory itself is never made: it would hide a mistake.
      const nowhere = join(folder, 'not there');
      const lost = await submit({ ...script('echo ran'), directory: nowhere, stdout_path: 'sub/out' });
      expect(await ended(lost.job_id)).toMatchObject({ state: 'FAILED' });
      await expect(access(nowhere)).rejects.toMatchObject({ code: 'ENOENT' });
    });

    it('takes names that look like options as names', async () => {
      const name = '#SBATCH --partition=nowhere $(touch pwned-by-name) --wrap=id';
      const { job_id } = await submit({ ...script('exit 0'), name, directory: folder });
      expect(await ended(job_id)).toMatchObject({ state: 'COMPLETED', name });
      await expect(access(join(folder, 'pwned-by-name'))).rejects.toMatchObject({ code: 'ENOENT' });
    });

    it('says so when there is no such executable or directory', async () => {
      const missing = await ended((await submit({ executable: '/no/such/program' })).job_id);
      expect(missing).toMatchObject({ state: 'FAILED' });
      const nowhere = await submit({ ...script('echo ran'), directory: '/no/such/folder' });
      expect(await ended(nowhere.job_id)).toMatchObject({ state: 'FAILED' });
      expect(await read(nowhere.job_id, 'stdout')).toBe('');
    });

    it('gives the output piece by piece while the job runs', async () => {
      const gate = join(folder, 'gate');
      const { job_id } = await submit(
        script(`echo one; while [ ! -e ${gate} ]; do sleep 0.1; done; echo two`),
      );
      const path = `/jobs/jobs/${job_id}/output/stdout`;
      const first = await until(async () => {
        const response = await call(`${path}?wait_ms=5000`);
        const text = await response.text();
        return text === '' ? undefined : { text, response };
      });
      expect(first.text).toBe('one\n');
      expect(first.response.headers.get('output-offset')).toBe('4');
      expect(first.response.headers.get('output-complete')).toBe('false');
      const nothing = await call(`${path}?offset=4`);
      expect(await nothing.text()).toBe('');
      await writeFile(gate, '');
      const second = await until(async () => {
        const response = await call(`${path}?offset=4&wait_ms=5000`);
        const text = await response.text();
        return text === '' ? undefined : text;
      });
      expect(second).toBe('two\n');
      await ended(job_id);
      const last = await call(`${path}?offset=8`);
      expect(await last.text()).toBe('');
      expect(last.headers.get('output-complete')).toBe('true');
    });

    it('cancels a running job: nothing of it is left, and that is checked', async () => {
      const alive = join(folder, 'alive');
      // Ignores the polite signal, and has a child that leaves the process group.
      const text = `trap '' TERM; setsid sh -c 'trap "" TERM; while :; do date >>${alive}; sleep 0.1; done' & while :; do sleep 0.2; done`;
      const { job_id } = await submit(script(text));
      await began(job_id);
      await until(async () => (await readFile(alive, 'utf8').catch(() => '')) || undefined);
      const response = await cancel(job_id);
      expect(await response.json()).toMatchObject({ job_id });
      expect(await ended(job_id)).toMatchObject({ state: 'CANCELED' });
      const before = await readFile(alive, 'utf8');
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(await readFile(alive, 'utf8')).toBe(before);
      expect((await cancel(job_id)).status).toBe(200);
    });

    it('refuses to cancel what has ended', async () => {
      const { job_id } = await submit({ executable: '/bin/true' });
      await ended(job_id);
      const response = await cancel(job_id);
      expect([response.status, await response.json()]).toMatchObject([409, { code: 'job-finished' }]);
    });

    it('holds a job until it is released, and cancels a held one before it ever ran', async () => {
      const ran = join(folder, 'ran');
      const held = await submit({ ...script(`echo x >>${ran}`), hold: true });
      const doomed = await submit({ ...script(`echo y >>${ran}`), hold: true });
      // It says what it waits for.
      const waiting = await untilJob(call, held.job_id, ({ message }) => message !== null);
      expect(waiting).toMatchObject({
        is_held: true,
        state: 'QUEUED',
        message: expect.stringMatching(/held/i),
      });
      const cancelled = await cancel(doomed.job_id);
      expect([cancelled.status, await cancelled.json()]).toMatchObject([200, { state: 'CANCELED' }]);
      const released = await call(`/jobs/jobs/${held.job_id}/release`, { method: 'POST' });
      expect(await released.json()).toMatchObject({ is_held: false });
      expect(await ended(held.job_id)).toMatchObject({ state: 'COMPLETED' });
      expect(await readFile(ran, 'utf8')).toBe('x\n');
      expect(await show(doomed.job_id)).toMatchObject({ state: 'CANCELED', started_at: null });
      expect(await show(held.job_id)).toMatchObject({ message: null });
      const late = await call(`/jobs/jobs/${held.job_id}/hold`, { method: 'POST' });
      expect([late.status, await late.json()]).toMatchObject([409, { code: 'job-not-waiting' }]);
    });

    it('starts a job when what it depends on has ended as asked, and cancels it when that cannot be', async () => {
      const order = join(folder, 'order');
      const gate = join(folder, 'dependency-gate');
      const first = await submit(script(`while [ ! -e ${gate} ]; do sleep 0.1; done; echo first >>${order}`));
      const dependency = { job_id: first.job_id, condition: 'afterok' };
      const second = await submit({ ...script(`echo second >>${order}`), dependencies: [dependency] });
      const never = await submit({
        ...script(`echo never >>${order}`),
        dependencies: [{ job_id: first.job_id, condition: 'afternotok' }],
      });
      await untilJob(call, second.job_id, ({ state }) => state === 'QUEUED');
      await writeFile(gate, '');
      expect(await ended(second.job_id)).toMatchObject({ state: 'COMPLETED' });
      expect(await ended(never.job_id)).toMatchObject({ state: 'CANCELED' });
      expect(await readFile(order, 'utf8')).toBe('first\nsecond\n');
      const late = await submit({ ...script(`echo third >>${order}`), dependencies: [dependency] });
      expect(await ended(late.job_id)).toMatchObject({ state: 'COMPLETED' });
      const vain = await call('/jobs/jobs', {
        json: {
          executor,
          spec: {
            executable: '/bin/true',
            dependencies: [{ job_id: first.job_id, condition: 'afternotok' }],
          },
        },
      });
      expect([vain.status, await vain.json()]).toMatchObject([
        422,
        { errors: [{ pointer: '/body/spec/dependencies/0' }] },
      ]);
    });

    it('runs the elements of an array, each with its index, output and end', async () => {
      const { job_id } = await submit({
        ...script('echo "element $GANTRY_ARRAY_INDEX"; [ "$GANTRY_ARRAY_INDEX" != 4 ] || exit 5'),
        array: { indices: '1,2-4:2', max_running: 2 },
      });
      const job = await ended(job_id);
      expect(job).toMatchObject({ state: 'FAILED', exit_code: 5 });
      expect(job.tasks.map(({ index, state, exit_code }) => [index, state, exit_code])).toEqual([
        [1, 'COMPLETED', 0],
        [2, 'COMPLETED', 0],
        [4, 'FAILED', 5],
      ]);
      expect(await read(job_id, 'stdout', 2)).toBe('element 2\n');
      const wrong = await call(`/jobs/jobs/${job_id}/output/stdout?index=3`);
      expect(wrong.status).toBe(422);
    });

    it('cancels all of an array', async () => {
      const { job_id } = await submit({ ...script('sleep 600'), array: { indices: '0-5', max_running: 1 } });
      await began(job_id);
      expect([200, 202]).toContain((await cancel(job_id)).status);
      const job = await ended(job_id);
      expect(new Set(job.tasks.map(({ state }) => state))).toEqual(new Set(['CANCELED']));
      expect(job).toMatchObject({ state: 'CANCELED' });
    });

    it('tells what happens to a job once and in order, also to those who ask later', async () => {
      const { job_id } = await submit(script('sleep 0.3'));
      const live = await readEvents(await call(`/jobs/jobs/${job_id}/events`));
      expect(live.map(({ seq }) => seq)).toEqual(live.map((_event, at) => at + 1));
      expect(live.map(({ state }) => state)).toEqual(['QUEUED', 'ACTIVE', 'COMPLETED']);
      const later = await readEvents(
        await call(`/jobs/jobs/${job_id}/events`, { headers: { 'last-event-id': '1' } }),
      );
      expect(later).toEqual(live.slice(1));
      // From beyond the end: nothing, and it ends.
      expect(await readEvents(await call(`/jobs/jobs/${job_id}/events?after=99`))).toEqual([]);
    });

    it('keeps jobs to their owners', async () => {
      const { job_id } = await submit({ executable: '/bin/true' });
      for (const path of ['', '/output/stdout', '/events'])
        expect(
          (await call(`/jobs/jobs/${job_id}${path}`, { user: 'bob', rights: ['jobs:read'] })).status,
        ).toBe(404);
      const asBob: CallInit = { user: 'bob', rights: ['jobs:read', 'jobs:cancel'] };
      expect((await call(`/jobs/jobs/${job_id}/cancel`, { ...asBob, method: 'POST' })).status).toBe(404);
      const own = jobListSchema.parse(await (await call('/jobs/jobs', asBob)).json());
      expect(own.jobs).toEqual([]);
      expect((await call('/jobs/jobs?owner=*', asBob)).status).toBe(403);
      const admin: CallInit = { user: 'root', rights: ['jobs:read', 'jobs:admin'] };
      const all = jobListSchema.parse(await (await call('/jobs/jobs?owner=*', admin)).json());
      expect(all.jobs.map((job) => job.job_id)).toContain(job_id);
      await ended(job_id);
    });

    it('refuses what it does not know, by name', async () => {
      const cases: readonly [Record<string, unknown>, string][] = [
        [{ walltime: 5 }, 'walltime'],
        [{ resources: { cpus: 1 } }, 'cpus'],
        [{ custom_attributes: { 'pbs.foo': '1' } }, 'pbs.foo'],
        [{ custom_attributes: { 'slurm.no_such_option': '1' } }, 'slurm.no_such_option'],
        [{ custom_attributes: { 'slurm.comment': 'a\n#SBATCH --partition=nowhere' } }, 'slurm.comment'],
        [{ name: 'a\n#SBATCH --partition=nowhere' }, '/body/spec/name'],
        [{ queue: 'a --wrap=id' }, '/body/spec/queue'],
        [{ environment: { 'A=1;id;B': '' } }, 'environment'],
        [{ environment: { OPTIND: 'x' } }, 'environment/OPTIND'],
        [{ array: { indices: '0-3', throttle: 2 } }, 'throttle'],
        [{ resources: { processes_per_node: 3, exclusive: 'yes' } }, 'exclusive'],
      ];
      for (const [extra, word] of cases) {
        const response = await call('/jobs/jobs', {
          json: { executor, spec: { executable: '/bin/true', ...extra } },
        });
        const text = await response.text();
        expect([word, response.status]).toEqual([word, 422]);
        expect(text).toContain(word);
      }
    });

    it('lists what is asked for, page by page, newest first', async () => {
      const user = 'grace';
      const as: CallInit = { user };
      const run = async (name: string, text: string) => {
        const { job_id } = await submit({ ...script(text), name }, as);
        await untilJob(
          (path, init) => call(path, { ...init, ...as }),
          job_id,
          ({ state }) => isOver(state),
        );
        return job_id;
      };
      const [one, two, three] = [
        await run('a', 'exit 0'),
        await run('b', 'exit 1'),
        await run('a', 'exit 1'),
      ];
      const list = async (query: string) => {
        const response = await call(`/jobs/jobs${query}`, as);
        const { jobs, next } = jobListSchema.parse(await response.json());
        return { ids: jobs.map(({ job_id }) => job_id), next };
      };
      expect(await list('')).toEqual({ ids: [three, two, one], next: null });
      expect((await list('?state=FAILED')).ids).toEqual([three, two]);
      expect((await list('?state=COMPLETED&state=CANCELED')).ids).toEqual([one]);
      expect((await list('?name=a&state=FAILED')).ids).toEqual([three]);
      expect((await list(`?executor=${executor}&queue=no-such`)).ids).toEqual([]);
      const page = await list('?limit=2');
      expect(page.ids).toEqual([three, two]);
      expect(await list(`?limit=2&after=${page.next}`)).toEqual({ ids: [one], next: null });
      for (const query of ['?state=DONE', '?walltime=1', '?limit=0'])
        expect([query, (await call(`/jobs/jobs${query}`, as)).status]).toEqual([query, 422]);
    });

    it('takes a submission once, however often it is sent', async () => {
      const init: CallInit = { headers: { 'idempotency-key': 'the-same' } };
      const spec = { executable: '/bin/true' };
      const [first, atOnce] = await Promise.all([submit(spec, init), submit(spec, init)]);
      const later = await submit(spec, init);
      expect([atOnce.job_id, later.job_id]).toEqual([first.job_id, first.job_id]);
      await ended(first.job_id);
    });

    describeOlderJobClients({ executor, call, folder: () => folder });

    it('goes on with its jobs after the agent was killed, and says how they ended', async () => {
      const dataDir = join(folder, 'killed-agent');
      const gate = join(folder, 'kill-gate');
      const text = (code: number) =>
        `echo begun; while [ ! -e ${gate} ]; do sleep 0.1; done; echo done; exit ${code}`;
      const before = await startAgentProcess(dataDir, settings());
      const post = async (spec: Record<string, unknown>) => {
        const response = await before.call('/jobs/jobs', { json: { executor, spec } });
        return jobSummarySchema.parse(await response.json()).job_id;
      };
      const meanwhile = await post(script('sleep 0.5; exit 3'));
      const after = await post(script(text(4)));
      const waiting = await post({ ...script('exit 6'), hold: true });
      const doomed = await post(script(text(0)));
      for (const id of [meanwhile, after, doomed])
        await untilJob(before.call, id, ({ state }) => state !== 'NEW' && state !== 'QUEUED');
      await before.kill();
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const again = await startAgentProcess(dataDir, settings());
      try {
        expect(await untilJob(again.call, meanwhile, ({ state }) => isOver(state))).toMatchObject({
          state: 'FAILED',
          exit_code: 3,
        });
        expect(await show(after, again.call)).toMatchObject({ state: 'ACTIVE' });
        await again.call(`/jobs/jobs/${doomed}/cancel`, { method: 'POST' });
        expect(await untilJob(again.call, doomed, ({ state }) => isOver(state))).toMatchObject({
          state: 'CANCELED',
        });
        await writeFile(gate, '');
        const job = await untilJob(again.call, after, ({ state }) => isOver(state));
        expect(job).toMatchObject({ state: 'FAILED', exit_code: 4 });
        expect(await (await again.call(`/jobs/jobs/${after}/output/stdout`)).text()).toBe('begun\ndone\n');
        await again.call(`/jobs/jobs/${waiting}/release`, { method: 'POST' });
        const last = await untilJob(again.call, waiting, ({ state }) => isOver(state));
        expect(last).toMatchObject({ state: 'FAILED', exit_code: 6 });
        const events = await readEvents(await again.call(`/jobs/jobs/${after}/events`));
        expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3]);
        expect(events.map(({ state }) => state)).toEqual(['QUEUED', 'ACTIVE', 'FAILED']);
        const spooled = await spooledEvents(again.call, [meanwhile, after, waiting, doomed]);
        for (const id of [meanwhile, after, waiting, doomed]) {
          const seqs = spooled.filter(({ job_id }) => job_id === id).map(({ seq }) => seq);
          expect([id, seqs]).toEqual([id, seqs.map((_seq, at) => at + 1)]);
        }
      } finally {
        await again.kill();
      }
    });
  });
}
