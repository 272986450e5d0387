import { describe, expect, it } from '@jest/globals';
import { BoundedWork } from './bounded-work.js';

/** Work that ends when the test says so. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { work: () => opened, open: () => open() };
}
const bounded = (options: Partial<ConstructorParameters<typeof BoundedWork>[0]> = {}) =>
  new BoundedWork({
    concurrency: 1,
    maxWaiting: 2,
    maxWaitMs: 60_000,
    refusal: () => new Error('refused'),
    ...options,
  });

describe('BoundedWork', () => {
  it('runs so many at once, the others in the order they came, and refuses the rest at once', async () => {
    const queue = bounded({ concurrency: 2 });
    const gates = Array.from({ length: 4 }, gate);
    const started: number[] = [];
    const runs = gates.map(({ work }, index) =>
      queue.run(() => {
        started.push(index);
        return work();
      }),
    );
    await expect(queue.run(async () => undefined)).rejects.toThrow('refused');
    expect(started).toEqual([0, 1]);
    expect(queue.waiting).toBe(2);
    gates[1]?.open();
    await runs[1];
    expect(started).toEqual([0, 1, 2]);
    for (const { open } of gates) open();
    await Promise.all(runs);
    expect(started).toEqual([0, 1, 2, 3]);
    expect(queue.waiting).toBe(0);
  });

  it('refuses what waited too long, and gives its turn to the next', async () => {
    const queue = bounded({ maxWaitMs: 1 });
    const { work, open } = gate();
    const first = queue.run(work);
    await expect(queue.run(async () => 'late')).rejects.toThrow('refused');
    open();
    await first;
    await expect(queue.run(async () => 'in time')).resolves.toBe('in time');
  });

  it('goes on after work that failed', async () => {
    const queue = bounded();
    const failing = queue.run(() => Promise.reject(new Error('broken')));
    const next = queue.run(async () => 'fine');
    await expect(failing).rejects.toThrow('broken');
    await expect(next).resolves.toBe('fine');
  });
});
