import { describe, expect, it } from '@jest/globals';
import { planRequest } from './plan-request.js';

describe('where a request goes', () => {
  it.each([
    [
      '/v1/nodes/n1/jobs/jobs/a%2Fb?x=1&x=',
      { kind: 'node', door: 'gantry', node: 'n1', plugin: 'jobs', path: '/jobs/jobs/a%2Fb?x=1&x=' },
    ],
    ['/v1/nodes/n1/sysinfo', { kind: 'node', path: '/sysinfo' }],
    ['/v1/nodes/n1/grants', { kind: 'own' }],
    ['/v1/nodes/n1', { kind: 'own' }],
    ['/v1/nodes', { kind: 'own' }],
    ['/v1/events?node=n1', { kind: 'events', door: 'gantry' }],
    ['/events', { kind: 'events', door: 'original' }],
    ['/tunnel', { kind: 'tunnel' }],
    ['/register', { kind: 'register' }],
    ['/t/secret/register', { kind: 'register', token: 'secret', url: '/register' }],
    ['/t/secret/edge/list', { kind: 'own', token: 'secret', url: '/edge/list' }],
    [
      '/t/secret/n1/psij/submit/s',
      { kind: 'node', door: 'original', token: 'secret', node: 'n1', path: '/psij/submit/s' },
    ],
    [
      '/host.example/psij/register_session',
      { kind: 'node', node: 'host.example', plugin: 'psij', path: '/psij/register_session' },
    ],
    ['/edge/submit', { kind: 'own' }],
    ['/plugins/evil.js', { kind: 'own' }],
    ['/bridge/terminate', { kind: 'own' }],
    ['/V1/nodes', { kind: 'own' }],
    ['/n1', { kind: 'own' }],
    ['/', { kind: 'own' }],
    ['/%zz/x', { kind: 'own' }],
  ])('%s', (target, plan) => {
    expect(planRequest(target)).toMatchObject(plan);
  });

  it('keeps a token in the path away from our own routes', () => {
    expect(planRequest('/t/secret/v1/nodes')).toMatchObject({ kind: 'own', url: '/t' });
  });

  it.each(['/v1/nodes/n1/jobs/../files/x', '/n1/jobs/%2e%2e/files', '/n1/jobs/./x'])(
    'refuses %s, which the node might take for another plugin',
    (target) => {
      expect(() => planRequest(target)).toThrow(expect.objectContaining({ code: 'malformed-request' }));
    },
  );
});
