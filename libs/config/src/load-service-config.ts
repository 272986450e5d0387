import { readEnvironment } from './environment.js';
import { type ConfigSchema, type LoadedConfig, loadConfig } from './load-config.js';

const fileFlag = '--config';
const printFlag = '--print-config';

/**
 * The configuration of this process: flags, environment, and the YAML files named by `--config FILE` (again for more;
 * later ones win) or GANTRY_CONFIG_FILE. With `--print-config` it is written to standard output, without its
 * secrets, and the process ends.
 * @throws {ConfigError} with every problem at once
 */
export function loadServiceConfig<T>(schema: ConfigSchema<T>, argv = process.argv.slice(2)): LoadedConfig<T> {
  const { files, rest } = takeFiles(argv.filter((arg) => arg !== printFlag));
  const fromEnvironment = readEnvironment('GANTRY_CONFIG_FILE');
  const named = files.length > 0 || fromEnvironment === undefined ? files : [fromEnvironment];
  const loaded = loadConfig(schema, { argv: rest, files: named, isStrict: true });
  if (argv.includes(printFlag)) {
    process.stdout.write(`${loaded.redacted}\n`);
    process.exit(0);
  }
  return loaded;
}

/** Both `--config FILE` and `--config=FILE`. */
function takeFiles(argv: readonly string[]): { files: string[]; rest: string[] } {
  const files: string[] = [];
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const arg = argv[index] ?? '';
    if (arg.startsWith(`${fileFlag}=`)) files.push(arg.slice(fileFlag.length + 1));
    else if (arg === fileFlag) {
      index += 1;
      files.push(argv[index] ?? '');
    } else rest.push(arg);
  }
  return { files, rest };
}
