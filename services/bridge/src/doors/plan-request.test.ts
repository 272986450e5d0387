import { bridgeApi, edgeDoorApi, nodeNameSchema, reservedNodeNames } from '@gantry/contracts';
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

  it('never goes to a node under a name that stands for paths of our own, and no node can have one', () => {
    const ours = [...Object.values(bridgeApi), ...Object.values(edgeDoorApi)].map(({ path }) => path);
    const served = [
      '/t',
      '/tunnel',
      '/register',
      '/events',
      '/livez',
      '/readyz',
      '/openapi.json',
      '/problems',
      '/docs',
    ];
    for (const path of [...ours, ...served]) expect(reservedNodeNames).toContain(path.split('/')[1]);
    for (const name of [...reservedNodeNames].flatMap((one) => [one, one.toUpperCase()])) {
      expect([name, nodeNameSchema.safeParse(name).success]).toEqual([name, false]);
      for (const path of [`/${name}/psij/submit`, `/t/secret/${name}/psij/submit`])
        expect([path, planRequest(path).kind]).not.toEqual([path, 'node']);
    }
  });

  it('keeps a token in the path away from our own routes', () => {
    expect(planRequest('/t/secret/v1/nodes')).toMatchObject({ kind: 'own', url: '/t' });
  });

  const secret = 'S'.repeat(40);
  it.each([
    [`/t/${secret}`, { kind: 'own', url: '/t' }],
    [`/t/${secret}?x=1`, { kind: 'own', url: '/t' }],
    [`/t/${secret}/`, { kind: 'own', url: '/t' }],
    [`//t/${secret}/edges`, { kind: 'own', token: secret, url: '/edges' }],
    [`http://bridge:1341/t/${secret}/edges`, { kind: 'own', token: secret, url: '/edges' }],
    [`HTTP://bridge//t/${secret}/n1/psij/x`, { kind: 'node', token: secret, path: '/psij/x' }],
    [`/T/${secret}/edges`, { kind: 'own', url: '/t' }],
    [`/%74/${secret}/edges`, { kind: 'own', url: '/t' }],
    [`/./t/${secret}/edges`, { kind: 'own', url: '/t' }],
    [`/t/${secret}%00/edges`, { kind: 'own', url: '/t' }],
    [`/t/${secret}é`, { kind: 'own', url: '/t' }],
    ['http://bridge', { kind: 'own', url: '/' }],
    ['*', { kind: 'own', url: '*' }],
  ])('shows nobody the token of %s', (target, plan) => {
    const made = planRequest(target);
    expect(made).toMatchObject(plan);
    expect(made.url).not.toContain(secret);
  });

  it.each(['/v1/nodes/n1/jobs/../files/x', '/n1/jobs/%2e%2e/files', '/n1/jobs/./x'])(
    'refuses %s, which the node might take for another plugin',
    (target) => {
      expect(() => planRequest(target)).toThrow(expect.objectContaining({ code: 'malformed-request' }));
    },
  );
});
