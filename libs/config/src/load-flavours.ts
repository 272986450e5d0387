import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FlavourDefinition, flavourDefinitionSchema } from '@gantry/contracts/execution';
import { messageOf } from '@gantry/kernel';
import { parse } from 'yaml';
import { ConfigError } from './load-config.js';
import type { FlavourSettings } from './shared-sections.js';

/** `config/flavours` of this installation: beside `libs`, both in the sources and where they are built. */
const ownFolder = fileURLToPath(new URL('../../../config/flavours/', import.meta.url));

/** More than any installation has; a folder that was named by mistake is not read to its end. */
const maxFiles = 1000;

/**
 * Reads every definition of the folder, in the order of their names. A flavour that is served and has none gets the
 * built-in defaults (`flavourOf` of contracts), so the result need not name all that are served.
 * @throws {ConfigError} with every problem of every file: file, field and rule
 */
export function loadFlavours({ flavoursDir }: FlavourSettings): readonly FlavourDefinition[] {
  const isOwn = flavoursDir === '';
  const folder = isOwn ? ownFolder : flavoursDir;
  const problems: string[] = [];
  const definitions = listFiles(folder, isOwn).flatMap((name) => {
    const file = join(folder, name);
    const read = readDefinition(file);
    problems.push(...read.problems.map((problem) => `${file}: ${problem}`));
    return read.definition === undefined ? [] : [read.definition];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return definitions;
}

/** @throws {ConfigError} when the folder cannot be read; that there is none of our own is no fault */
function listFiles(folder: string, mayBeAbsent: boolean): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (mayBeAbsent) return [];
    throw new ConfigError([`GANTRY_FLAVOURS_DIR: ${messageOf(error)}`]);
  }
  const files = names.filter((name) => ['.yaml', '.yml'].includes(extname(name))).sort();
  if (files.length > maxFiles)
    throw new ConfigError([`GANTRY_FLAVOURS_DIR: ${folder} has more than ${maxFiles} definitions`]);
  return files;
}

interface ReadDefinition {
  readonly definition?: FlavourDefinition;
  readonly problems: readonly string[];
}

function readDefinition(file: string): ReadDefinition {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // The lines after the first quote the file.
    return { problems: [messageOf(error).split('\n')[0] ?? ''] };
  }
  const parsed = flavourDefinitionSchema.safeParse(content);
  if (!parsed.success) {
    return { problems: parsed.error.issues.map(({ path, message }) => `${fieldOf(path)}${message}`) };
  }
  const expected = basename(file, extname(file));
  return parsed.data.name === expected
    ? { definition: parsed.data, problems: [] }
    : { problems: [`name: must be "${expected}", as the file is called`] };
}

/** `packages.0.module: ` */
const fieldOf = (path: readonly PropertyKey[]): string =>
  path.length === 0 ? '' : `${path.map(String).join('.')}: `;
