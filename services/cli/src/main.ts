import { ConfigError } from '@gantry/config';
import { messageOf } from '@gantry/kernel';
import { Command } from 'commander';
import { addClusters } from './commands/clusters.js';
import { addConfig } from './commands/config.js';
import { addDemo } from './commands/demo.js';
import { addExecutions } from './commands/executions.js';
import { addFunctions } from './commands/functions.js';
import { addTokens } from './commands/tokens.js';
import { up } from './commands/up.js';
import { addUsers } from './commands/users.js';

/** The `gantry` command. `argv` is without node and script. */
export async function main(argv: readonly string[]): Promise<void> {
  // `up` hands its flags to the configuration, which knows them all.
  if (argv[0] === 'up' && !argv.includes('--help') && !argv.includes('-h')) return up(argv.slice(1));
  try {
    await buildProgram().parseAsync([...argv], { from: 'user' });
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = error instanceof ConfigError ? 2 : 1;
  }
}

function buildProgram(): Command {
  const program = new Command('gantry')
    .description('Runs functions at the edge: the platform, and the tools to use it')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 wrong use or settings, 3 not allowed, 4 not reachable, 5 timed out.',
    )
    .option('--json', 'print one JSON document')
    .option(
      '--cloud-url <url>',
      'cloud frontend (GANTRY_CLOUD_URL; default: the platform of the data folder)',
    )
    .option('--edge-url <url>', 'edge frontend (GANTRY_EDGE_URL; default: the platform of the data folder)')
    .option('--user <name>', 'account to sign in with', 'admin')
    .option('--password-file <path>', "its password (GANTRY_PASSWORD_FILE; default: the data folder's)")
    .option('--data-dir <path>', 'data folder (GANTRY_DATA_DIR; default ./data)');
  program
    .command('up')
    .description('Start the whole platform in this process; see "gantry config print" for its settings')
    .allowUnknownOption();
  addDemo(program);
  addUsers(program);
  addTokens(program);
  addFunctions(program);
  addExecutions(program);
  addClusters(program);
  addConfig(program);
  return program;
}
