import { type ExecutionRequest, requestHeadersSchema } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeRequest, encodeRequest } from './request-message.js';

const request: ExecutionRequest = {
  executionId: 'f1.0190',
  mode: 'sync',
  flavour: 'Nature',
  owner: 'ada',
  functionId: 1,
  requirementId: 2,
  functionSha256: 'ab'.repeat(32),
  language: 'PY',
  expiresAtMs: 1_790_000_000_500,
  queueMs: 1000,
  runMs: 500.5,
};
const parameters = Buffer.from('["MQ=="]');
const nowMs = 1_790_000_000_000;
const deliver = (headers: Record<string, unknown>, messageId = request.executionId) =>
  decodeRequest({ messageId, headers });

describe('an execution request as a message', () => {
  it('goes to its flavour and mode, under its own id, with the very bytes of the caller', () => {
    const message = encodeRequest(request, parameters, nowMs);
    expect(message).toMatchObject({
      exchange: 'requests.v1',
      routingKey: 'Nature.sync',
      messageId: 'f1.0190',
      persistent: false,
    });
    expect(message.expirationMs).toBeUndefined();
    expect(message.content).toBe(parameters);
  });

  it('is written to disk when asynchronous', () => {
    const message = encodeRequest({ ...request, mode: 'async' }, parameters, nowMs);
    expect(message).toMatchObject({ routingKey: 'Nature.async', persistent: true });
  });

  it.each([
    ['in the past', nowMs - 10, 1],
    ['broken milliseconds', nowMs + 1.2, 2],
    ['farther than a broker can count', nowMs + 1e12, 4_294_967_295],
  ])('expires at the broker within its bounds: %s', (_what, expiresAtMs, expected) => {
    expect(encodeRequest({ ...request, mode: 'async', expiresAtMs }, parameters, nowMs).expirationMs).toBe(
      expected,
    );
  });

  it.each([
    request,
    { ...request, mode: 'async' as const, parametersSha256: 'cd'.repeat(32), traceparent: '00-1-2-01' },
    { ...request, functionOwner: 'bob' },
    { ...request, isFresh: true as const },
    { ...request, limits: { memoryMiB: 32, scratchMiB: 1, resultBytes: 1000, logBytes: 0 } },
    { ...request, limits: { resultBytes: 64 } },
  ])('comes out as it went in', (each) => {
    const { headers } = encodeRequest(each, parameters, nowMs);
    expect(deliver({ ...headers })).toEqual({ kind: 'ok', value: each });
  });

  it('says nothing of owners, limits and realms that are as for most calls', () => {
    const names = Object.keys(encodeRequest(request, parameters, nowMs).headers);
    for (const name of ['functionOwner', 'fresh', 'memoryMiB', 'scratchMiB', 'resultBytes', 'logBytes'])
      expect(names).not.toContain(name);
  });

  it('is invalid without a message id and in another version', () => {
    const { headers } = encodeRequest(request, parameters, nowMs);
    expect(deliver({ ...headers }, '')).toEqual({ kind: 'invalid', reason: 'no message id' });
    expect(deliver({ ...headers, v: 2 })).toEqual({
      kind: 'invalid',
      reason: 'message version 2 is not known here',
    });
  });

  it('is accepted exactly when the schema in contracts accepts it', () => {
    const { headers } = encodeRequest(
      {
        ...request,
        ...{ parametersSha256: 'a', traceparent: 'b', isFresh: true, functionOwner: 'c' },
        limits: { memoryMiB: 1, scratchMiB: 1, resultBytes: 1, logBytes: 1 },
      },
      parameters,
      nowMs,
    );
    const value = fc.oneof(
      fc.anything(),
      fc.integer(),
      fc.double(),
      fc.string(),
      fc.constantFrom(
        'sync',
        'async',
        'PY',
        'JS',
        'C',
        'ab'.repeat(32),
        'AB'.repeat(32),
        undefined,
        true,
        NaN,
        2 ** 53,
      ),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Object.keys(headers), 'other'), value), (changes) => {
        const changed = { ...headers, ...changes };
        expect(deliver(changed).kind === 'ok').toBe(requestHeadersSchema.safeParse(changed).success);
      }),
      { numRuns: 2000 },
    );
  });
});
