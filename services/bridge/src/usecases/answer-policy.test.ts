import { describe, expect, it } from '@jest/globals';
import { applyAnswerPolicy } from './answer-policy.js';

describe('the policy of answers from plugins', () => {
  const answer = applyAnswerPolicy(
    {
      'content-type': 'text/html',
      'content-security-policy': "script-src 'unsafe-inline'",
      'set-cookie': ['session=stolen'],
      'strict-transport-security': 'max-age=1',
      'access-control-allow-origin': '*',
      'x-request-id': 'of the node',
      location: '/v1/nodes/another/revoke',
      'content-location': 'https://elsewhere.example/',
      'cache-control': 'max-age=60',
      etag: '"1"',
    },
    'r1',
  );

  it('keeps what describes the content', () => {
    expect(answer).toMatchObject({ 'content-type': 'text/html', etag: '"1"', 'cache-control': 'max-age=60' });
  });

  it('drops what concerns the browser, other origins and sign-ins', () => {
    for (const name of ['set-cookie', 'strict-transport-security', 'access-control-allow-origin'])
      expect(answer).not.toHaveProperty([name]);
  });

  it('drops where else to go: following it would repeat the request, with the token of the caller', () => {
    for (const name of ['location', 'content-location']) expect(answer).not.toHaveProperty([name]);
  });

  it('puts the answer into a sandbox, whatever the plugin says', () => {
    expect(answer['content-security-policy']).toBe("default-src 'none'; frame-ancestors 'none'; sandbox");
    expect(answer['x-content-type-options']).toBe('nosniff');
    expect(answer['x-request-id']).toBe('r1');
  });
});
