import { randomBytes } from 'node:crypto';
import type { Role } from '@gantry/contracts';
import type { Command } from 'commander';
import { credentialsOf, type GlobalOptions, keepPassword, readPassword } from '../connection.js';
import { printResult, toTable } from '../terminal.js';
import { numberOf, onAction, take } from './action.js';

const listLimit = 10_000;

interface NewUserOptions extends GlobalOptions {
  readonly role: Role;
  readonly org?: string;
  readonly newPasswordFile?: string;
  readonly quotaFunctions?: string;
  readonly quotaBytes?: string;
}

/** `gantry users add|ls|rm|passwd` */
export function addUsers(program: Command): void {
  const users = program.command('users').description('Accounts (administrators)');
  onAction<NewUserOptions>(
    users
      .command('add <name>')
      .description('Create an account; a random password is made and shown unless a file is given')
      .option('--role <role>', 'user or administrator', 'user')
      .option('--org <org>', 'organisation, written into tokens')
      .option('--new-password-file <path>', 'the password of the new account')
      .option('--quota-functions <number>', 'functions it may store')
      .option('--quota-bytes <number>', 'bytes its functions may take'),
    async ({ client, output }, [name = ''], options) => {
      const { password, isRandom } = newPassword(options.newPasswordFile);
      const account = await client.createAccount({
        name,
        password,
        role: options.role,
        ...(options.org === undefined ? {} : { org: options.org }),
        ...(options.quotaFunctions === undefined
          ? {}
          : { quota_functions: numberOf('--quota-functions', options.quotaFunctions) }),
        ...(options.quotaBytes === undefined
          ? {}
          : { quota_function_bytes: numberOf('--quota-bytes', options.quotaBytes) }),
      });
      const shown = isRandom ? { ...account, password } : account;
      printResult(
        output,
        shown,
        `Created ${account.role} ${name}${isRandom ? `. Password, shown once: ${password}` : ''}`,
      );
    },
  );
  onAction(users.command('ls').description('List accounts'), async ({ client, output }) => {
    const accounts = await take(client.listAccounts(), listLimit);
    const rows = accounts.map((one) => [one.name, one.role, one.org, one.created_at]);
    printResult(output, accounts, toTable(['NAME', 'ROLE', 'ORG', 'CREATED'], rows, 'No accounts.'));
  });
  onAction(
    users.command('rm <name>').description('Delete an account with its documents, and revoke its tokens'),
    async ({ client, output }, [name = '']) => {
      await client.deleteAccount(name);
      printResult(output, { deleted: name }, `Deleted ${name}`);
    },
  );
  onAction<NewUserOptions>(
    users
      .command('passwd [name]')
      .description("Change a password (without a name: one's own); revokes the account's tokens")
      .option('--new-password-file <path>', 'the new password'),
    async ({ client, output }, [name], options) => {
      const { password, isRandom } = newPassword(options.newPasswordFile);
      if (name === undefined)
        await client.setOwnPassword({ current: credentialsOf(options).password, next: password });
      else await client.setAccountPassword(name, password);
      keepPassword(options, { cloudUrl: client.cloudUrl, name: name ?? options.user ?? 'admin', password });
      const shown = isRandom ? { password } : {};
      printResult(output, shown, `Changed.${isRandom ? ` New password, shown once: ${password}` : ''}`);
    },
  );
}

function newPassword(path: string | undefined): { password: string; isRandom: boolean } {
  if (path !== undefined)
    return { password: readPassword(path, 'Name one with --new-password-file.'), isRandom: false };
  return { password: randomBytes(18).toString('base64url'), isRandom: true };
}
