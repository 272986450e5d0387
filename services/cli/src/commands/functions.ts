import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import type { Command } from 'commander';
import { printResult, toTable } from '../terminal.js';
import { numberOf, onAction, take } from './action.js';

const listLimit = 10_000;

/** `gantry functions push|ls|rm` */
export function addFunctions(program: Command): void {
  const functions = program.command('functions').description('Functions of the signed-in account');
  onAction(
    functions.command('push <file>').description('Upload an ES module (.js, .mjs) with a default export'),
    async ({ client, output }, [file = '']) => {
      if (!['.js', '.mjs'].includes(extname(file)))
        throw new Error(`${file}: only .js and .mjs files can be pushed`);
      const code = readFileSync(file);
      const id = await client.uploadFunction({
        LANG: 'JS',
        FC: code.toString('base64'),
        FC_HASH: createHash('sha256').update(code).digest('hex'),
        NAME: basename(file),
      });
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
