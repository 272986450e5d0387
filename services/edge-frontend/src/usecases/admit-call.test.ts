import { describe, expect, it } from '@jest/globals';
import { Admission } from './admit-call.js';

const limits = {
  concurrentCallsPerUser: 2,
  asyncCallsPerSecondPerUser: 100,
  maxCallsInFlight: 3,
  maxBytesInFlight: 100,
};
const refused = (code: string) => expect.objectContaining({ code });

describe('admission', () => {
  it('gives back what it counted, once', () => {
    const admission = new Admission(limits);
    const leave = admission.enter('ada', 60);
    leave();
    leave();
    expect([admission.calls, admission.bytes]).toEqual([0, 0]);
    admission.enter('ada', 60);
    expect([admission.calls, admission.bytes]).toEqual([1, 60]);
  });

  it('refuses beyond the limit of the account, of the calls and of the bytes', () => {
    const admission = new Admission(limits);
    admission.enter('ada', 10);
    expect(() => admission.enter('bob', 91)).toThrow(refused('edge-overloaded'));
    admission.enter('ada', 10);
    expect(() => admission.enter('ada', 10)).toThrow(refused('too-many-concurrent'));
    admission.enter('bob', 10);
    expect(() => admission.enter('eve', 10)).toThrow(refused('edge-overloaded'));
  });

  it('takes one body of any size when nothing else is there', () => {
    const admission = new Admission(limits);
    const leave = admission.enter('ada', 1000);
    expect(() => admission.enter('bob', 1)).toThrow(refused('edge-overloaded'));
    leave();
    expect(() => admission.enter('bob', 1)).not.toThrow();
  });

  it('admits a hundred asynchronous executions a second, and says when the next may come', async () => {
    const admission = new Admission(limits);
    const outcomes = await Promise.allSettled(Array.from({ length: 101 }, () => admission.enterAsync('ada')));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
    const last = outcomes.at(-1) as PromiseRejectedResult;
    expect(last.reason).toMatchObject({ code: 'too-many-requests' });
    expect(last.reason.retryAfterMs).toBeGreaterThan(0);
    await expect(admission.enterAsync('bob')).resolves.toBeUndefined();
  });

  it('refuses everything once it is closed', () => {
    const admission = new Admission(limits);
    admission.close();
    expect(() => admission.enter('ada', 1)).toThrow(refused('shutting-down'));
  });
});
