import type { AgentConfigDocument } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { Connection } from '../connection.js';
import type { LabelSettingsStore } from '../ports.js';

export const createLabelSettingsStore = ({ db, dialect }: Connection): LabelSettingsStore => ({
  list: async () => {
    const rows = await db.selectFrom('label_settings').selectAll().orderBy('label').execute();
    return rows.map(({ label, settings_json }) => ({
      label,
      // What stands in this column was checked before it was written.
      settings: JSON.parse(settings_json) as AgentConfigDocument,
    }));
  },

  set: (label, settings, { expectedRevision, maxLabels }) =>
    db.transaction().execute(async (transaction) => {
      await dialect.lockUntilCommit(transaction, 'label-settings');
      const before = await transaction
        .selectFrom('label_settings')
        .select('revision')
        .where('label', '=', label)
        .executeTakeFirst();
      const known = before?.revision ?? 0;
      if (expectedRevision !== undefined && expectedRevision !== known)
        throw new AppError(
          'precondition-failed',
          `The settings have revision ${known}, not ${expectedRevision}`,
        );
      if (before === undefined) {
        const { count } = await transaction
          .selectFrom('label_settings')
          .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
          .executeTakeFirstOrThrow();
        if (Number(count) >= maxLabels)
          throw new AppError('quota-exceeded', `There are settings for ${maxLabels} labels already`);
      }
      const document = { ...settings, revision: known + 1 };
      const row = { label, revision: document.revision, settings_json: JSON.stringify(document) };
      await transaction
        .insertInto('label_settings')
        .values(row)
        .onConflict((conflict) => conflict.column('label').doUpdateSet(row))
        .execute();
      return document;
    }),

  remove: async (label) => {
    const { numDeletedRows } = await db
      .deleteFrom('label_settings')
      .where('label', '=', label)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  },
});
