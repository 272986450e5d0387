import { attenuateToken, inspectToken } from '@gantry/tokens';
import type { Command } from 'commander';
import type { GlobalOptions } from '../connection.js';
import { note, printResult, toTable } from '../terminal.js';
import { numberOf, onAction } from './action.js';

/** Tokens longer than this do not fit the buffer of the C client. */
const cClientLimit = 504;

/** `gantry token …` and `gantry keys …` */
export function addTokens(program: Command): void {
  const keys = program.command('keys').description('Signing keys (administrators)');
  onAction(keys.command('ls').description('Live keys'), async ({ client, output }) => {
    const live = await client.listKeys();
    const rows = live.map((key) => [
      key.id,
      key.public_key,
      key.created_at,
      key.is_current ? 'signs' : 'verifies',
    ]);
    printResult(output, live, toTable(['ID', 'PUBLIC KEY', 'CREATED', 'USE'], rows, 'No keys.'));
  });
  onAction(
    keys.command('rotate').description('Add a key that signs from now on; old tokens live until they expire'),
    async ({ client, output }) => {
      const key = await client.rotateKey();
      printResult(output, key, `Key ${key.id} signs from now on: ${key.public_key}`);
    },
  );

  const token = program.command('token').description('Biscuit tokens');
  onAction(token.command('new').description('Sign in and print a token'), async ({ client, output }) => {
    const made = await client.authenticate();
    printResult(output, { token: made }, made);
  });
  onAction(
    token.command('inspect <token>').description('Show what a token says ("-": read it from standard input)'),
    async ({ client, output }, [given = '-']) => {
      // Without the platform's keys the signature stays unknown; the rest can be read all the same.
      const live = await client.listKeys().catch(() => undefined);
      const keys = live?.map((key) => ({ id: key.id, publicKey: key.public_key }));
      const inspected = await inspectToken(await readToken(given), keys);
      printResult(output, inspected, JSON.stringify(inspected, null, 2));
    },
  );
  onAction<GlobalOptions & { minutes?: string; check?: string[] }>(
    token
      .command('attenuate <token>')
      .description('Add restrictions to a token')
      .option('--minutes <minutes>', 'let it expire after so many minutes')
      .option(
        '--check <check...>',
        'Datalog checks, for example: check if time($t), $t < 2027-01-01T00:00:00Z',
      ),
    async ({ output }, [given = '-'], options) => {
      const made = await attenuateToken(await readToken(given), {
        ...(options.minutes === undefined
          ? {}
          : { expiresAtMs: Date.now() + numberOf('--minutes', options.minutes) * 60_000 }),
        ...(options.check === undefined ? {} : { checks: options.check }),
      });
      if (made.length > cClientLimit)
        note(`This token has ${made.length} characters; the C client takes ${cClientLimit} at most.`);
      printResult(output, { token: made }, made);
    },
  );
  onAction(
    token.command('revoke <revocationId>').description('Revoke a token by an id that "token inspect" shows'),
    async ({ client, output }, [revocationId = '']) => {
      await client.revokeToken(revocationId);
      printResult(output, { revoked: revocationId }, 'Revoked; edge frontends refuse it within ten seconds.');
    },
  );
}

async function readToken(given: string): Promise<string> {
  if (given !== '-') return given;
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8').trim().replaceAll('"', '');
}
