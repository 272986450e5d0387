/** What a stranger, a broken client or an attacker sends. Every answer is held against the OpenAPI document. */

import { join } from 'node:path';
import { silentLogger } from '@gantry/kernel';
import { openStore } from '@gantry/store';
import { attenuateToken, BiscuitIssuer, newSigningKey } from '@gantry/tokens';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, checked, checkedFetch } from '../support/checked-fetch.js';
import { type Device, newDevice, resultOf, signIn } from '../support/device.js';
import { type Platform, startPlatform } from '../support/platform.js';

const hourMs = 3_600_000;

let platform: Platform;
let admin: Device;
let functionId: number;
let requirementId: number;

beforeAll(async () => {
  platform = await startPlatform();
  admin = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
  functionId = await admin.upload('export default (text) => text.length;');
  requirementId = await admin.requirement();
}, 90_000);

afterAll(async () => {
  await platform.stop();
});

interface Call {
  readonly id?: string | number;
  readonly requirement?: string | number;
  readonly mode?: string;
  readonly token?: string;
  readonly body?: string | Buffer;
}

const execute = ({
  id,
  requirement,
  mode = 'sync',
  token = admin.token,
  body = '[]',
}: Call): Promise<Answer> =>
  checkedFetch(
    `${platform.edgeUrl}/v1/functions/${id ?? functionId}/execute?app_req_id=${requirement ?? requirementId}&mode=${mode}`,
    { method: 'POST', headers: { token }, body: typeof body === 'string' ? Buffer.from(body) : body },
  );

const expectProblem = (answer: Answer, status: number, code: string) => {
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect({ status: answer.status, code: answer.json.code, detail: typeof answer.json.detail }).toEqual({
    status,
    code,
    detail: 'string',
  });
};

describe('bodies of an execution', () => {
  it('refuses a missing body and says that it is required', async () => {
    const answer = await execute({ body: Buffer.alloc(0) });
    expectProblem(answer, 422, 'invalid-request');
    expect(answer.json.errors[0]).toMatchObject({
      pointer: '/body',
      detail: expect.stringContaining('is required'),
    });
  });

  it.each([
    ['an object', '{"a":1}', '/body'],
    ['a string', '"abc"', '/body'],
    ['null', 'null', '/body'],
    ['an array of numbers', '[1,2]', '/body/0'],
    ['an array with one number', '["AA==",2]', '/body/1'],
    ['bad base64', '["not base64!"]', '/body/0'],
    ['base64 without padding', '["AA"]', '/body/0'],
    ['text that is not JSON', 'hello', '/body'],
    ['JSON that is cut off', '["AA=="', '/body'],
  ])('refuses %s and names the place', async (_name, body, pointer) => {
    const answer = await execute({ body });
    expectProblem(answer, 422, 'invalid-request');
    expect(answer.json.errors[0].pointer).toBe(pointer);
  });

  it('refuses 40 MB with 413, and the client can read the refusal', async () => {
    const answer = await execute({
      body: Buffer.concat([Buffer.from('["'), Buffer.alloc(40e6, 'A'), Buffer.from('"]')]),
    });
    expectProblem(answer, 413, 'body-too-large');
  });

  it('runs a function on 20 MB of base64', async () => {
    const text = 'x'.repeat(15_000_000);
    const answer = await admin.execute(functionId, requirementId, [text]);
    expect(answer.status).toBe(200);
    expect(resultOf(answer.json)).toBe(text.length);
  });
});

describe('ids', () => {
  it.each([0, -1, 1.5, 2 ** 53, 'abc'])('refuses the function id %s', async (id) => {
    expectProblem(await execute({ id }), 422, 'invalid-request');
  });

  it.each([0, -1, 1.5, 2 ** 53, 'abc', ''])('refuses the requirement id %j', async (requirement) => {
    expectProblem(await execute({ requirement }), 422, 'invalid-request');
  });

  it('answers 404 for an unknown function, an unknown requirement, and documents of the other kind', async () => {
    expectProblem(await execute({ id: 999_999 }), 404, 'document-not-found');
    expectProblem(await execute({ requirement: 999_999 }), 404, 'document-not-found');
    expectProblem(await execute({ id: requirementId }), 404, 'document-not-found');
    expectProblem(await execute({ requirement: functionId }), 404, 'document-not-found');
  });

  it('answers 404 for the function and the execution of another account', async () => {
    const account = { name: 'mallory', password: 'a long enough password' };
    const created = await checkedFetch(`${platform.cloudUrl}/v1/accounts`, {
      method: 'POST',
      headers: { token: admin.token },
      body: Buffer.from(JSON.stringify(account)),
    });
    expect(created.status).toBe(201);
    const mallory = await newDevice(platform, account);
    const own = await mallory.requirement();
    expectProblem(await mallory.execute(functionId, own, []), 404, 'document-not-found');
    const accepted = await admin.execute(functionId, requirementId, ['abc'], { mode: 'async' });
    expectProblem(await mallory.read(accepted.json.execution_id), 404, 'execution-not-found');
    expect((await admin.read(accepted.json.execution_id)).status).toBe(200);
  });
});

describe('modes and routes', () => {
  it.each(['', 'SYNC', 'later'])('refuses the mode %j', async (mode) => {
    expectProblem(await execute({ mode }), 422, 'invalid-request');
  });

  it('answers 404 for an unknown route and 405 with Allow for a wrong method', async () => {
    expectProblem(await checkedFetch(`${platform.edgeUrl}/v1/nothing`), 404, 'route-not-found');
    const answer = await checkedFetch(`${platform.edgeUrl}/v1/functions/1/execute`);
    expectProblem(answer, 405, 'method-not-allowed');
    expect(answer.headers.get('allow')).toBe('POST');
  });
});

describe('tokens', () => {
  it('answers 400 when there is none, with the text that existing clients know', async () => {
    const answer = await checkedFetch(`${platform.edgeUrl}/v1/functions/1/execute?app_req_id=1&mode=sync`, {
      method: 'POST',
    });
    expectProblem(answer, 400, 'missing-token');
    expect(answer.json.detail).toBe('Missing token in header');
  });

  it.each([
    ['garbage', 'garbage'],
    ['a header of 16 KB', 'A'.repeat(16_000)],
    ['another text in base64', Buffer.from('{"alg":"none"}').toString('base64')],
  ])('answers 401 for %s', async (_name, token) => {
    expect((await execute({ token })).status).toBe(401);
  });

  it('answers 401 for a token of another key', async () => {
    const key = newSigningKey(1);
    const issuer = new BiscuitIssuer(() => [key]);
    const { token } = await issuer.issue(
      { user: 'admin', org: undefined, role: 'administrator' },
      { nowMs: Date.now(), lifetimeMs: 3_600_000 },
    );
    expectProblem(await execute({ token }), 401, 'invalid-token');
  });

  it('answers 401 for a token a day after it was issued, with the key and the lifetime of the platform', async () => {
    const store = await openStore({
      url: `file:${join(platform.dataDir, 'gantry.db')}`,
      logger: silentLogger,
    });
    try {
      const keys = await store.keys.list();
      const issuer = new BiscuitIssuer(() => keys);
      // As the platform itself issued it then: only the moment is chosen.
      const issuedBefore = async (ageMs: number) =>
        (
          await issuer.issue(
            { user: 'admin', org: undefined, role: 'administrator' },
            { nowMs: Date.now() - ageMs, lifetimeMs: 24 * hourMs },
          )
        ).token;
      const young = await issuedBefore(23 * hourMs);
      expect((await execute({ token: young, body: '["ImEi"]' })).status).toBe(200);
      const old = await issuedBefore(24 * hourMs + 2000);
      expectProblem(await execute({ token: old }), 401, 'token-expired');
      const atCloud = await checkedFetch(`${platform.cloudUrl}/v1/functions`, { headers: { token: old } });
      expectProblem(atCloud, 401, 'token-expired');
    } finally {
      await store.close();
    }
  });

  it('answers 401 for a token that its bearer let expire', async () => {
    const token = await attenuateToken(admin.token, { expiresAtMs: Date.now() - 1000 });
    expectProblem(await execute({ token }), 401, 'token-expired');
  });

  it('answers 401 for a token with a failing check', async () => {
    const token = await attenuateToken(admin.token, { checks: ['check if never("true")'] });
    expectProblem(await execute({ token }), 401, 'invalid-token');
  });

  it('accepts the token as a bearer too', async () => {
    const answer = await checkedFetch(`${platform.edgeUrl}/v1/executions`, {
      headers: {
        authorization: `Bearer ${await signIn(platform.cloudUrl, 'admin', platform.adminPassword)}`,
      },
    });
    expect(answer.status).toBe(200);
  });
});

it('held the answers of this suite against the OpenAPI documents', () => {
  expect(checked.answers).toBeGreaterThan(30);
});
