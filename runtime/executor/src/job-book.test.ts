import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeFrontend } from './testing/broker-fixture.js';

const add = 'export default (a, b) => a + b;';
const slow = 'export default (ms) => new Promise((r) => setTimeout(r, ms));';

let frontend: FakeFrontend;
beforeEach(async () => {
  frontend = new FakeFrontend();
  await frontend.start();
});
afterEach(() => frontend.stop());

const endsOf = (id: string): number =>
  frontend.results.filter(({ executionId, kind }) => executionId === id && kind === 'finished').length;

describe('a second copy of a message', () => {
  it('of an execution that runs is joined to it, so that its consumer is not blocked', async () => {
    await frontend.runtime({ slots: 2 });
    const counted = frontend.request(slow);
    await frontend.send(counted, [300]);
    await frontend.send(counted, [300]);
    await frontend.finished(counted.executionId);
    const after = [frontend.request(add), frontend.request(add)];
    for (const request of after) await frontend.send(request, [1, 2]);
    for (const request of after) await frontend.finished(request.executionId);
    expect(endsOf(counted.executionId)).toBe(1);
  });

  it('of a synchronous call that has ended is dropped', async () => {
    await frontend.runtime();
    const request = frontend.request(add);
    await frontend.send(request, [1, 2]);
    await frontend.finished(request.executionId);
    await frontend.send(request, [1, 2]);
    await frontend.finished(await frontend.send(frontend.request(add), [1, 2]));
    expect(endsOf(request.executionId)).toBe(1);
  });
});
