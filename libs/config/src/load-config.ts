import { readFileSync } from 'node:fs';
import { messageOf } from '@gantry/kernel';
import convict from 'convict';
import { parse } from 'yaml';
import { addFormats } from './formats.js';

/** Bad configuration: `problems` says all that is wrong and what to change. Stops the start with exit code 2. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export type ConfigSchema<T> = convict.Schema<T>;

export interface ConfigSources {
  /** Command line without node and script; keys are the schema's `arg`. */
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** YAML files, later ones win. */
  readonly files?: readonly string[];
}

export interface LoadedConfig<T> {
  readonly values: T;
  /** The configuration as JSON, with every sensitive value replaced. */
  readonly redacted: string;
}

/**
 * Reads a configuration: flag > environment > file > default. A key with the environment name X can also be given as
 * `X_FILE`, a path whose trimmed content is the value; that is how secrets are passed.
 * @throws {ConfigError} with every problem at once, also unknown keys
 */
export function loadConfig<T>(schema: ConfigSchema<T>, sources: ConfigSources = {}): LoadedConfig<T> {
  addFormats(convict);
  const problems: string[] = [];
  const config = convict(schema, {
    args: [...(sources.argv ?? process.argv.slice(2))],
    env: withSecretFiles(schema, sources.env ?? process.env, problems),
  });
  for (const file of sources.files ?? []) {
    try {
      config.load(parse(readFileSync(file, 'utf8')) ?? {});
    } catch (error) {
      problems.push(`${file}: ${messageOf(error)}`);
    }
  }
  try {
    config.validate({ allowed: 'strict', output: () => undefined });
  } catch (error) {
    problems.push(...messageOf(error).split('\n').filter((line) => line.trim() !== ''));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { values: config.getProperties(), redacted: config.toString() };
}

/** The environment with the content of every `X_FILE` under X, for the names that the schema knows. */
function withSecretFiles(
  schema: unknown,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): NodeJS.ProcessEnv {
  const merged: NodeJS.ProcessEnv = { ...env };
  for (const name of envNamesOf(schema)) {
    const path = env[`${name}_FILE`];
    // A schema may name X_FILE itself, where the path is the value.
    if (path === undefined || env[name] !== undefined) continue;
    try {
      merged[name] = readFileSync(path, 'utf8').trim();
    } catch (error) {
      problems.push(`${name}_FILE: ${messageOf(error)}`);
    }
  }
  return merged;
}

function envNamesOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) =>
    key === 'env' && typeof value === 'string' ? [value] : envNamesOf(value),
  );
}
