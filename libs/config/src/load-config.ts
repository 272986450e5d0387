import { readFileSync } from 'node:fs';
import { messageOf } from '@gantry/kernel';
import convict from 'convict';
import { parse } from 'yaml';
import { addFormats } from './formats.js';
import { readFlags } from './read-flags.js';
import { readVariables } from './read-variables.js';
import { namesOf, type Setting, settingsOf, toPlainText } from './settings.js';

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
  /** Whether a flag that the schema does not know is a problem. */
  readonly isStrict?: boolean;
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
  const settings = settingsOf(schema);
  const variables = readVariables(settings, sources.env ?? process.env);
  const flags = readFlags(settings, sources.argv ?? process.argv.slice(2), sources.isStrict ?? false);
  const problems = [...variables.problems, ...flags.problems];
  // Flags and variables are read here: convict takes `no` for true and 007 for 7.
  const config = convict(schema, { args: [], env: {} });
  for (const file of sources.files ?? []) {
    try {
      config.load(readYaml(file));
    } catch (error) {
      // The lines after the first quote the file, which may hold secrets.
      problems.push(`${file}: ${messageOf(error).split('\n')[0]}`);
    }
  }
  for (const setting of settings) {
    const text = flags.texts.get(setting.path) ?? variables.texts.get(setting.path);
    if (text === undefined) continue;
    try {
      // The type of a path depends on the schema, which is not known here.
      config.set(setting.path as never, toPlainText(setting, text) as never);
    } catch (error) {
      problems.push(`${setting.path}: ${messageOf(error)}${namesOf(setting)}`);
    }
  }
  problems.push(...validate(config, settings));
  if (problems.length > 0) throw new ConfigError(problems);
  return { values: config.getProperties(), redacted: config.toString() };
}

/** The environment variables that a schema reads. */
export const variablesOf = <T>(schema: ConfigSchema<T>): string[] =>
  settingsOf(schema).flatMap(({ env }) => (env === undefined ? [] : [env]));

function readYaml(file: string): object {
  const content: unknown = parse(readFileSync(file, 'utf8')) ?? {};
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new Error('must hold settings by name');
  return content;
}

function validate<T>(config: convict.Config<T>, settings: readonly Setting[]): string[] {
  try {
    config.validate({ allowed: 'strict', output: () => undefined });
    return [];
  } catch (error) {
    const lines = messageOf(error).split('\n');
    return lines.filter((line) => line.trim() !== '').map((line) => line + namesOfLine(line, settings));
  }
}

function namesOfLine(line: string, settings: readonly Setting[]): string {
  const setting = settings.find(({ path }) => line.startsWith(`${path}: `));
  return setting === undefined ? '' : namesOf(setting);
}
