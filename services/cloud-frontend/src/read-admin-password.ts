import { readFileSync } from 'node:fs';
import { ConfigError } from '@gantry/config';
import { passwordSchema } from '@gantry/contracts';
import { messageOf } from '@gantry/kernel';

/**
 * The password that the configuration sets for the first account, or undefined when it sets none.
 * @throws {ConfigError} when the file cannot be read, or what it holds is no good password
 */
export function readAdminPassword(path: string): string | undefined {
  if (path === '') return undefined;
  const problem = (text: string) =>
    new ConfigError([`cloud.adminPasswordFile (GANTRY_ADMIN_PASSWORD_FILE): ${text}`]);
  let password: string;
  try {
    password = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw problem(`the file cannot be read: ${messageOf(error)}`);
  }
  const parsed = passwordSchema.safeParse(password);
  if (parsed.success) return parsed.data;
  throw problem(`the password in ${path} ${parsed.error.issues.map(({ message }) => message).join('; ')}`);
}
