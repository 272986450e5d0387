import { readFileSync } from 'node:fs';
import { ConfigError } from '@gantry/config';
import { pluginNameSchema } from '@gantry/contracts';
import { messageOf } from '@gantry/kernel';
import { parse } from 'yaml';
import { z } from 'zod';
import type { LocalSettings } from './core/plugin-settings.js';

const fileSchema = z
  .record(
    pluginNameSchema,
    z.looseObject({ locked: z.boolean().optional(), enabled: z.boolean().optional() }),
  )
  .nullable();

/**
 * The settings of plugins that stand on the machine itself, as YAML by plugin name; an empty path is none.
 * @throws {ConfigError} when the file cannot be read or is not of that form; plugins check their own part
 */
export function loadLocalSettings(path: string): LocalSettings {
  if (path === '') return {};
  let content: unknown;
  try {
    content = parse(readFileSync(path, 'utf8')) ?? null;
  } catch (error) {
    // Later lines quote the file.
    throw new ConfigError([`GANTRY_AGENT_PLUGINS_FILE: ${path}: ${messageOf(error).split('\n')[0]}`]);
  }
  const parsed = fileSchema.safeParse(content);
  if (parsed.success) return parsed.data ?? {};
  throw new ConfigError(
    parsed.error.issues.map(
      ({ path: where, message }) => `GANTRY_AGENT_PLUGINS_FILE: ${path}: ${where.join('.')}: ${message}`,
    ),
  );
}
