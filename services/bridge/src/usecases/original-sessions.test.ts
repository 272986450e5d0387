import { Readable } from 'node:stream';
import type { TunnelAnswer, TunnelTarget } from '@gantry/tunnel';
import { describe, expect, it } from '@jest/globals';
import { OriginalSessions } from './original-sessions.js';

const answerOf = (body: string): TunnelAnswer => ({
  ...{ status: 200, headers: {}, body: Readable.from([Buffer.from(body)], { objectMode: false }) },
  trailers: Promise.resolve({}),
});
const linkOf = (body: () => string): TunnelTarget => ({
  name: 'e1',
  request: async () => answerOf(body()),
  connect: async () => Promise.reject(new Error('none')),
});

describe('OriginalSessions', () => {
  const sessions = new OriginalSessions();
  let count = 0;
  const as = (user: string, path: string, body = () => '{}') =>
    sessions
      .guard(linkOf(body), { ...{ node: 'e1', plugin: 'psij', user, isManager: false }, path })
      .request({ method: 'POST', path });
  const register = async (user: string) => {
    count += 1;
    const id = `session.${String(count).padStart(8, '0')}`;
    await as(user, '/psij/register_session', () => JSON.stringify({ sid: id }));
    return id;
  };

  it('takes no place of others from a user who registers very many', async () => {
    const ofBob = await register('bob');
    const first = await register('eve');
    let last = first;
    for (let index = 0; index < 10_500; index += 1) last = await register('eve');
    expect((await as('bob', `/psij/list_jobs/${ofBob}`)).status).toBe(200);
    expect((await as('eve', `/psij/list_jobs/${last}`)).status).toBe(200);
    await expect(as('eve', `/psij/list_jobs/${first}`)).rejects.toMatchObject({ code: 'session-not-found' });
  });

  it('reads no answer of an edge beyond a bound', async () => {
    const huge = () => JSON.stringify({ sessions: ['x'.repeat(2_000_000)] });
    await expect(as('bob', '/psij/list_sessions', huge)).rejects.toMatchObject({ code: 'node-failed' });
  });
});
