import { readVersion } from '@gantry/http/version';
import { Command, CommanderError } from 'commander';
import { addGroups } from './commands/groups.js';
import { UsageError } from './commands/usage-error.js';
import { fail } from './terminal.js';

const packageUrl = new URL('../package.json', import.meta.url);

/** The `gantry` command. `argv` is without node and script. */
export async function main(argv: readonly string[]): Promise<void> {
  // These hand their flags to the configuration, which knows them all.
  if (argv[0] === 'up' && !argv.includes('--help') && !argv.includes('-h')) {
    const { up } = await import('./commands/up.js');
    return up(argv.slice(1));
  }
  if (argv[0] === 'agent' && argv[1] === 'up' && !argv.includes('--help') && !argv.includes('-h')) {
    const { runAgent } = await import('@gantry/edge-agent/run');
    return await runAgent(argv.slice(2));
  }
  try {
    const program = buildProgram();
    await addGroups(program, argv);
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    // Help that was asked for is printed by then, and no failure.
    if (error instanceof CommanderError && error.exitCode === 0) return;
    fail(error instanceof CommanderError ? toUsageError(error) : error, { isJson: asksForJson(argv) });
  }
}

/** Wrong options may be why parsing failed, so this one is looked for by itself. */
const asksForJson = (argv: readonly string[]): boolean => {
  const end = argv.indexOf('--');
  return argv.slice(0, end === -1 ? argv.length : end).includes('--json');
};

function toUsageError({ code, message }: CommanderError): UsageError {
  // A group of commands without the name of one: commander would print the help and say nothing else.
  if (code === 'commander.help') return new UsageError('name a command; add --help for the list of them');
  return new UsageError(message.replace(/^error: /, ''));
}

function buildProgram(): Command {
  const program = new Command('gantry')
    // Both hold for every command below, so they come first: mistakes are thrown, and printed like all other errors.
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .description('Runs functions at the edge: the platform, and the tools to use it')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 wrong use or settings, 3 not allowed, 4 not reachable, 5 timed out,\n6 the execution succeeded but its result cannot be shown.',
    )
    .version(readVersion('gantry', packageUrl).version)
    .option('--json', 'print one JSON document')
    .option(
      '--cloud-url <url>',
      'cloud frontend (GANTRY_CLOUD_URL; default: the platform that runs on the data folder)',
    )
    .option('--edge-url <url>', 'edge frontend (GANTRY_EDGE_URL; default: the platform of the data folder)')
    .option('--bridge-url <url>', 'bridge (GANTRY_BRIDGE_URL; default: the platform of the data folder)')
    .option('--user <name>', 'account to sign in with', 'admin')
    .option('--password-file <path>', "its password (GANTRY_PASSWORD_FILE; default: the data folder's)")
    .option('--data-dir <path>', 'data folder (GANTRY_DATA_DIR; default ./data)');
  program
    .command('up')
    .description('Start the whole platform in this process; see "gantry config print" for its settings')
    .allowUnknownOption();
  return program;
}
