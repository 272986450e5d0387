import type { Command } from 'commander';
import type { GlobalOptions } from '../connection.js';
import { printResult, toTable } from '../terminal.js';
import { numberOf, onAction, take } from './action.js';
import { readFunctionFile } from './function-file.js';

const listLimit = 10_000;

/** `gantry functions push|ls|rm` */
export function addFunctions(program: Command): void {
  const functions = program.command('functions').description('Functions of the signed-in account');
  onAction<GlobalOptions & { function?: string }>(
    functions
      .command('push <file>')
      .description(
        'Upload an ES module (.js, .mjs) with a default export, or Python source (.py) with one function at its top level (names that begin with _ are helpers)',
      )
      .option('--function <name>', 'the function of a Python file that has several'),
    async ({ client, output }, [file = ''], options) => {
      const id = await client.uploadFunction(readFunctionFile(file, options.function));
      printResult(output, { id }, `Function ${id}. Run it with: npx gantry call ${id} [parameter as JSON …]`);
    },
  );
  onAction(functions.command('ls').description('List functions'), async ({ client, output }) => {
    const stored = await take(client.listFunctions(), listLimit);
    const rows = stored.map((one) => [one.id, one.name, one.LANG, one.size_bytes, one.owner, one.created_at]);
    printResult(
      output,
      stored,
      toTable(['ID', 'NAME', 'LANG', 'BYTES', 'OWNER', 'CREATED'], rows, 'No functions yet.'),
    );
  });
  onAction(
    functions.command('rm <id>').description('Delete a function'),
    async ({ client, output }, [id = '']) => {
      await client.deleteFunction(numberOf('the function id', id));
      printResult(output, { deleted: Number(id) }, `Deleted function ${id}`);
    },
  );
}
