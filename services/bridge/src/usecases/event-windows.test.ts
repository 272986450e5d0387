import { describe, expect, it } from '@jest/globals';
import { EventWindows, type KeptEvent } from './event-windows.js';

const eventOf = (node: string, place: number, bytes = 1): KeptEvent => ({
  event: { id: `x-${place}`, value: { kind: 'node', node, state: 'connected' } },
  ...{ place, bytes },
});
const everyone = () => true;

describe('EventWindows', () => {
  it('takes from the node that has most when there is too much in all', () => {
    const windows = new EventWindows({ maxBytes: 100 });
    windows.add(eventOf('small', 1, 5));
    for (let place = 2; place <= 50; place += 1) windows.add(eventOf('large', place, 5));
    expect(windows.after(0, (node) => node === 'small')).toMatchObject({ kept: [{ place: 1 }], lost: 0 });
    const large = windows.after(0, (node) => node === 'large');
    expect(large.kept.length).toBeLessThanOrEqual(19);
    expect(large.kept.length + large.lost).toBe(49);
    expect(large.kept.at(-1)?.place).toBe(50);
  });

  it('bounds the nodes, and knows that something of the forgotten ones may be missing', () => {
    const windows = new EventWindows({ maxNodes: 2 });
    for (const [index, node] of ['a', 'b', 'c'].entries()) windows.add(eventOf(node, index + 1));
    expect(windows.after(0, everyone)).toMatchObject({ kept: [{ place: 2 }, { place: 3 }], lost: 1 });
    expect(windows.after(1, everyone).lost).toBe(0);
  });

  it('has the events of several nodes in the order in which they came', () => {
    const windows = new EventWindows();
    for (const [index, node] of ['a', 'b', 'a', 'b'].entries()) windows.add(eventOf(node, index + 1));
    expect(windows.after(1, everyone).kept.map(({ place }) => place)).toEqual([2, 3, 4]);
  });
});
