/** What every executor answers to clients that know the plugin as `psij`. Part of the contract of executors. */
import { describe, expect, it } from '@jest/globals';
import { type Call, isOver, until, untilJob } from './follow-jobs.js';

export interface OlderJobClientsOptions {
  readonly executor: 'local' | 'slurm';
  readonly call: Call;
  readonly folder: () => string;
}

export function describeOlderJobClients({ executor, call, folder }: OlderJobClientsOptions): void {
  describe('for older clients', () => {
    const ended = (id: string) => untilJob(call, id, ({ state }) => isOver(state));

    it('answers an older client in its own words', async () => {
      const { sid } = (await (await call('/psij/register_session', { json: {} })).json()) as { sid: string };
      const job_spec = {
        executable: '/bin/sh',
        arguments: ['-c', 'echo hello; echo oops >&2'],
        directory: folder(),
        environment: { A: 'b' },
        attributes: { duration: '600' },
        custom_attributes: {},
      };
      const submitted = await call(`/psij/submit/${sid}`, { json: { job_spec, executor } });
      const { job_id, native_id } = (await submitted.json()) as { job_id: string; native_id: string };
      expect(typeof native_id).toBe('string');
      await ended(job_id);
      const status = await call(`/psij/status/${sid}/${job_id}?stdout_offset=2`);
      expect(await status.json()).toMatchObject({
        job_id,
        native_id,
        state: 'COMPLETED',
        exit_code: 0,
        stdout: 'llo\n',
        stdout_offset: 6,
        stderr: 'oops\n',
        stderr_offset: 5,
        executor,
        duration: 600,
        queue_name: null,
      });
      const list = await call(`/psij/list_jobs/${sid}`);
      expect(await list.json()).toMatchObject({
        jobs: [{ job_id, state: 'COMPLETED', executable: '/bin/sh' }],
      });
      const sleeping = await call(`/psij/submit/${sid}`, {
        json: { job_spec: { executable: '/bin/sleep', arguments: ['600'] }, executor },
      });
      const { job_id: other } = (await sleeping.json()) as { job_id: string };
      const cancelled = await until(async () => {
        const answer = (await (
          await call(`/psij/cancel/${sid}/${other}`, { method: 'POST' })
        ).json()) as object;
        return 'status' in answer && answer.status === 'canceled' ? answer : undefined;
      });
      expect(cancelled).toEqual({ job_id: other, status: 'canceled' });
      const unknown = { executable: '/bin/true', attributes: { nodes: 3 } };
      const refused = await call(`/psij/submit/${sid}`, { json: { job_spec: unknown, executor } });
      expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining('nodes')]);
    });

    it('starts an edge service for an older client, but opens no tunnel for it', async () => {
      const { sid } = (await (await call('/psij/register_session', { json: {} })).json()) as { sid: string };
      const post = async (args: readonly string[], extra: object) => {
        const job_spec = { executable: '/bin/echo', arguments: args };
        const response = await call(`/psij/submit_tunneled/${sid}`, {
          json: { job_spec, executor, ...extra },
        });
        return [response.status, (await response.json()) as Record<string, unknown>] as const;
      };
      const [status, started] = await post(['--name', 'edge-7'], { tunnel: false });
      expect([status, started]).toEqual([
        200,
        { job_id: expect.any(String), native_id: expect.any(String), edge_name: 'edge-7' },
      ]);
      const id = String(started['job_id']);
      await ended(id);
      // Nothing was put behind its arguments.
      expect(await (await call(`/jobs/jobs/${id}/output/stdout`)).text()).toBe('--name edge-7\n');
      expect(await (await call('/psij/tunnel_status/edge-7')).json()).toEqual({
        ...{ edge_name: 'edge-7', status: 'no_tunnel', port: null, pid: null },
      });
      const nameless = await post(['--url', 'x'], { tunnel: false });
      expect(nameless).toMatchObject([422, { errors: [{ pointer: '/body/job_spec/arguments' }] }]);
      for (const extra of [{ tunnel: true }, {}])
        expect(await post(['-n', 'edge-8'], extra)).toMatchObject([501, { code: 'not-offered' }]);
    });
  });
}
