/** Brings a database to the newest schema, also when several processes start at once. */
import { AppError } from '@gantry/kernel';
import { Kysely, type Migration, Migrator } from 'kysely';
import type { ColumnTypes, StoreDialect } from '../store-dialect.js';
import { initial } from './0001-initial.js';
import { callOptions } from './0002-call-options.js';
import { nodes } from './0003-nodes.js';
import { nodeBridges } from './0004-node-bridges.js';
import { labelSettings } from './0005-label-settings.js';

const migrationTable = 'gantry_migration';

/** In the order of their names. A released migration never changes and never goes away. */
const migrationsFor = (columns: ColumnTypes): Record<string, Migration> => ({
  '0001-initial': initial(columns),
  '0002-call-options': callOptions,
  '0003-nodes': nodes(columns),
  '0004-node-bridges': nodeBridges,
  '0005-label-settings': labelSettings(columns),
});

/**
 * Applies what is missing, under the lock of the database (an advisory lock, or the one writer of a file).
 * Answers the name of the newest migration.
 * @throws {AppError} store-unavailable · internal-error when the database is of a newer version than this code
 */
export async function migrate(dialect: StoreDialect): Promise<string> {
  const db = new Kysely<MigrationTables>({ dialect: dialect.connectForMigration() });
  try {
    const migrations = migrationsFor(dialect.columns);
    await refuseNewer(db, migrations, dialect.location);
    const migrator = new Migrator({
      db,
      provider: { getMigrations: async () => migrations },
      migrationTableName: migrationTable,
      migrationLockTableName: `${migrationTable}_lock`,
      // Kysely orders what was applied by the time of day; a clock that was set back must not stop a start.
      allowUnorderedMigrations: true,
    });
    const { error } = await migrator.migrateToLatest();
    if (error !== undefined) throw error;
    return Object.keys(migrations).at(-1) ?? 'none';
  } finally {
    await db.destroy();
  }
}

interface MigrationTables {
  gantry_migration: { name: string };
}

async function refuseNewer(
  db: Kysely<MigrationTables>,
  known: Record<string, Migration>,
  location: string,
): Promise<void> {
  const tables = await db.introspection.getTables();
  if (!tables.some((table) => table.name === migrationTable)) return;
  const applied = await db.selectFrom('gantry_migration').select('name').execute();
  const unknown = applied.map((row) => row.name).filter((name) => !(name in known));
  if (unknown.length === 0) return;
  const detail =
    `The store ${location} was written by a newer version of Gantry (it has the migration ` +
    `${unknown.join(', ')}, which this version does not know). Start that version, or restore a backup ` +
    'made before the upgrade.';
  throw new AppError('internal-error', detail);
}
