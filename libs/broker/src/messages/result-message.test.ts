import { resultHeadersSchema } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeResult, encodeResult, type FinishedMessage, type ResultMessage } from './result-message.js';

const run = { executionId: 'f1.0190', attempt: 1, runtimeId: 'r1' };
const finished: FinishedMessage = {
  kind: 'finished',
  ...run,
  status: 'failed',
  code: 'function-error',
  startedAtMs: 5,
  finishedAtMs: 6,
  result: Buffer.from('{"ret_code":-1}'),
  log: Buffer.from('lög'),
};
const send = (message: ResultMessage) => {
  const { messageId, headers, content } = encodeResult(message);
  return decodeResult({ messageId, headers, content });
};

describe('a result as a message', () => {
  it.each<ResultMessage>([
    { kind: 'started', ...run, startedAtMs: 5 },
    { kind: 'progress', ...run, progressPerMille: 1000 },
    finished,
    { ...finished, code: undefined, startedAtMs: undefined, status: 'expired', result: Buffer.alloc(0) },
    { ...finished, log: Buffer.alloc(0) },
  ])('comes out as it went in', (message) => {
    expect(send(message)).toEqual({ kind: 'ok', value: message });
  });

  it('is keyed by its execution and persistent only as the end of an asynchronous one', () => {
    expect(encodeResult(finished)).toMatchObject({
      exchange: 'results.v1',
      routingKey: run.executionId,
      persistent: false,
    });
    const later = { ...finished, executionId: 'async.0190' };
    expect(encodeResult(later).persistent).toBe(true);
    expect(
      encodeResult({ kind: 'started', ...run, executionId: 'async.0190', startedAtMs: 5 }).persistent,
    ).toBe(false);
  });

  it('is neither copied when written without a log, nor when read', () => {
    expect(encodeResult({ ...finished, log: Buffer.alloc(0) }).content).toBe(finished.result);
    const { messageId, headers, content } = encodeResult(finished);
    const decoded = decodeResult({ messageId, headers, content });
    if (decoded.kind !== 'ok' || decoded.value.kind !== 'finished') throw new Error('unreachable');
    expect(decoded.value.result.buffer).toBe(content.buffer);
    expect(decoded.value.log.buffer).toBe(content.buffer);
  });

  it.each([
    ['a size beyond the message', { resultSizeBytes: 1000 }],
    ['a negative size', { resultSizeBytes: -1 }],
    ['no size', { resultSizeBytes: undefined }],
    ['no status', { status: undefined }],
    ['a status that is no end', { status: 'running' }],
    ['another version', { v: 2 }],
    ['another kind', { kind: 'paused' }],
  ])('is invalid with %s', (_what, changes) => {
    const { messageId, headers, content } = encodeResult(finished);
    expect(decodeResult({ messageId, headers: { ...headers, ...changes }, content }).kind).toBe('invalid');
  });

  it('is accepted exactly when the schema accepts it and its kind has what it needs', () => {
    const all = { ...encodeResult(finished).headers, progressPerMille: 1 };
    const content = Buffer.alloc(100);
    const value = fc.oneof(
      fc.anything(),
      fc.integer(),
      fc.double(),
      fc.string(),
      fc.constantFrom('started', 'progress', 'finished', 'failed', 'expired', undefined, NaN),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Object.keys(all)), value), (changes) => {
        const headers = { ...all, ...changes };
        const parsed = resultHeadersSchema.safeParse(headers);
        const isExpected = parsed.success && hasWhatItNeeds(parsed.data, content.length);
        expect(decodeResult({ messageId: 'x', headers, content }).kind === 'ok').toBe(isExpected);
      }),
      { numRuns: 2000 },
    );
  });
});

function hasWhatItNeeds(headers: ReturnType<typeof resultHeadersSchema.parse>, sizeBytes: number): boolean {
  if (headers.kind === 'started') return true;
  if (headers.kind === 'progress') return headers.progressPerMille !== undefined;
  const { status, resultSizeBytes } = headers;
  return (
    status !== undefined &&
    resultSizeBytes !== undefined &&
    resultSizeBytes >= 0 &&
    resultSizeBytes <= sizeBytes
  );
}
