import { describe, expect, it } from '@jest/globals';
import { FrameAllowance, FrameFloodError } from './frame-allowance.js';

function start() {
  let nowMs = 0;
  const allowance = new FrameAllowance(() => nowMs);
  return { allowance, pass: (ms: number) => (nowMs += ms) };
}

describe('the frames a process may send', () => {
  it('are enough for progress twice a second, for as long as a call lasts', () => {
    const { allowance, pass } = start();
    for (let sent = 0; sent < 7200; sent += 1) {
      expect(() => allowance.take()).not.toThrow();
      pass(500);
    }
  });

  it('are enough for progress and a late frame of each of many short calls', () => {
    const { allowance } = start();
    for (let call = 0; call < 10_000; call += 1) {
      allowance.grow();
      allowance.take();
      allowance.take();
    }
    expect(() => allowance.take()).not.toThrow();
  });

  it('end soon when they come faster than any program sends them', () => {
    const { allowance, pass } = start();
    const flood = () => {
      for (let sent = 0; sent < 100; sent += 1) allowance.take();
    };
    expect(flood).toThrow(FrameFloodError);
    pass(1000);
    expect(flood).toThrow(FrameFloodError);
  });
});
