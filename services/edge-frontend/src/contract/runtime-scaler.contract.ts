/** What every {@link RuntimeScaler} does, wherever its runtimes are. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RuntimeScaler } from '../ports.js';

/** `fail`: starts fail with "no broker". `hang`: starts never end. `busy`: what drains has something to run. */
export type RuntimeBehaviour = 'well' | 'fail' | 'hang' | 'busy';

export interface ScalerUnderTest {
  /** Has one runtime of the flavour, and may have {@link maxRuntimes}. */
  readonly scaler: RuntimeScaler;
  /** How its runtimes behave from now on. */
  behave(how: RuntimeBehaviour): void;
  /** Runtimes that exist, also those that drain. */
  alive(): Promise<number>;
  stop(): Promise<void>;
}

export const maxRuntimes = 4;
export const flavour = 'Nature';
const timeoutMs = 20_000;
const shortMs = 300;

export function describeRuntimeScaler(name: string, open: () => Promise<ScalerUnderTest>): void {
  describe(`RuntimeScaler: ${name}`, () => {
    let under: ScalerUnderTest;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(() => under.stop());

    const scaleTo = (count: number, ms = timeoutMs) =>
      under.scaler.scaleTo(flavour, count, { timeoutMs: ms });
    const count = () => under.scaler.countOf(flavour);
    const untilAlive = async (expected: number) => {
      for (let look = 0; (await under.alive()) !== expected; look += 1) {
        if (look > 400) throw new Error(`${await under.alive()} runtimes are alive, not ${expected}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    };

    it('starts and ends runtimes until there are as many as asked for', async () => {
      expect([await count(), under.scaler.maxRuntimes]).toEqual([1, maxRuntimes]);
      await scaleTo(3);
      expect([await count(), await under.alive()]).toEqual([3, 3]);
      await scaleTo(2);
      expect([await count(), await under.alive()]).toEqual([2, 2]);
      await scaleTo(2);
      expect(await count()).toBe(2);
      await scaleTo(1);
      expect([await count(), await under.alive()]).toEqual([1, 1]);
    });

    it.each([0, -1, maxRuntimes + 1])('refuses to have %d', async (wrong) => {
      await expect(scaleTo(wrong)).rejects.toMatchObject({ code: 'invalid-request' });
      expect(await count()).toBe(1);
    });

    it('refuses a second scaling of a flavour while one runs, and takes one afterwards', async () => {
      const first = scaleTo(3);
      await expect(scaleTo(2)).rejects.toMatchObject({ code: 'scaling-in-progress' });
      await first;
      await scaleTo(2);
      expect(await count()).toBe(2);
    });

    it('says why a runtime could not be started, and leaves nothing of it', async () => {
      await scaleTo(2);
      under.behave('fail');
      await expect(scaleTo(3)).rejects.toMatchObject({
        code: 'scaling-failed',
        message: expect.stringMatching(/"Nature" has 2 of 3 runtimes: .*no broker/),
      });
      expect([await count(), await under.alive()]).toEqual([2, 2]);
    });

    it('gives up a start that takes too long, and leaves nothing of it', async () => {
      under.behave('hang');
      await expect(scaleTo(2, shortMs)).rejects.toMatchObject({ code: 'scaling-timeout' });
      await untilAlive(1);
      expect(await count()).toBe(1);
    });

    it('lets what still runs go on when the time is over, and counts it no more', async () => {
      await scaleTo(3);
      under.behave('busy');
      await expect(scaleTo(1, shortMs)).rejects.toMatchObject({
        code: 'scaling-timeout',
        message: expect.stringContaining('2 of 2 runtimes'),
      });
      expect([await count(), await under.alive()]).toEqual([1, 3]);
      under.behave('well');
      await untilAlive(1);
      await scaleTo(maxRuntimes);
      expect(await count()).toBe(maxRuntimes);
    });

    it('never has more than the most, those that drain included', async () => {
      await scaleTo(maxRuntimes);
      under.behave('busy');
      await expect(scaleTo(1, shortMs)).rejects.toMatchObject({ code: 'scaling-timeout' });
      await expect(scaleTo(2)).rejects.toMatchObject({
        code: 'scaling-failed',
        message: expect.stringContaining('still drain'),
      });
      expect(await under.alive()).toBe(maxRuntimes);
    });
  });
}
