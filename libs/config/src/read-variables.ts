import { readFileSync } from 'node:fs';
import { messageOf } from '@gantry/kernel';
import type { Setting } from './settings.js';

export interface ReadVariables {
  /** By path of the setting. */
  readonly texts: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
}

/**
 * Reads the variables that the schema names. `X_FILE` names a file whose trimmed content is the value of X, which is
 * how secrets are passed; where the schema has a setting X_FILE of its own, the path is its value instead. An empty
 * variable counts as unset.
 */
export function readVariables(
  settings: readonly Setting[],
  env: Readonly<Record<string, string | undefined>>,
): ReadVariables {
  const names = new Set(settings.map((one) => one.env));
  const texts = new Map<string, string>();
  const problems: string[] = [];
  for (const { path, env: name } of settings) {
    if (name === undefined) continue;
    const value = env[name] || undefined;
    const file = names.has(`${name}_FILE`) ? undefined : env[`${name}_FILE`] || undefined;
    if (value !== undefined && file !== undefined) {
      problems.push(`${name}: ${name}_FILE is set as well; keep one of them`);
    } else if (value !== undefined) {
      texts.set(path, value);
    } else if (file !== undefined) {
      try {
        texts.set(path, readSecret(file));
      } catch (error) {
        problems.push(`${name}_FILE: ${messageOf(error)}`);
      }
    }
  }
  return { texts, problems };
}

function readSecret(file: string): string {
  const secret = readFileSync(file, 'utf8').trim();
  if (secret === '') throw new Error(`${file} is empty`);
  return secret;
}
