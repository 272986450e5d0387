import { describe, expect, it } from '@jest/globals';
import { type StoreContractHarness, useStore } from './fixtures.js';

const settingsOf = (intervalSeconds: number) => ({
  disabled: [],
  plugins: { sysinfo: { intervalSeconds } },
});
const options = { expectedRevision: undefined, maxLabels: 3 };

export function describeLabelSettings(harness: StoreContractHarness): void {
  describe('settings of labels', () => {
    const opened = useStore(harness);

    it('are kept by label, with a revision that grows', async () => {
      const { labelSettings } = opened().store;
      expect(await labelSettings.list()).toEqual([]);
      expect(await labelSettings.set('site=lab', settingsOf(5), options)).toMatchObject({ revision: 1 });
      expect(await labelSettings.set('site=lab', settingsOf(7), options)).toMatchObject({ revision: 2 });
      await labelSettings.set('gpu=yes', settingsOf(9), options);
      expect(await labelSettings.list()).toEqual([
        { label: 'gpu=yes', settings: { ...settingsOf(9), revision: 1 } },
        { label: 'site=lab', settings: { ...settingsOf(7), revision: 2 } },
      ]);
      expect(await labelSettings.remove('gpu=yes')).toBe(true);
      expect(await labelSettings.remove('gpu=yes')).toBe(false);
      expect(await labelSettings.list()).toHaveLength(1);
    });

    it('are replaced only at the revision that was named, by one of many at the same moment', async () => {
      const { store, openAnother } = opened();
      const other = await openAnother();
      await store.labelSettings.set('a=b', settingsOf(1), { ...options, expectedRevision: 0 });
      const done = await Promise.allSettled(
        [1, 2, 3, 4].map((index) =>
          (index % 2 === 0 ? store : other).labelSettings.set('a=b', settingsOf(index), {
            ...options,
            expectedRevision: 1,
          }),
        ),
      );
      expect(done.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const one of done)
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'precondition-failed' });
    });

    it('are not kept for any number of labels', async () => {
      const { labelSettings } = opened().store;
      for (const label of ['a=1', 'a=2', 'a=3']) await labelSettings.set(label, settingsOf(1), options);
      await expect(labelSettings.set('a=4', settingsOf(1), options)).rejects.toMatchObject({
        code: 'quota-exceeded',
      });
      expect(await labelSettings.set('a=3', settingsOf(2), options)).toMatchObject({ revision: 2 });
    });
  });
}
