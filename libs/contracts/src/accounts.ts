import { z } from 'zod';
import { roles } from './principals.js';

/** Account names travel in tokens (64 bytes at most) and in HTTP Basic (no colon). */
export const accountNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/, 'must be 1 to 64 letters, digits, ".", "_", "@" or "-"');

export const passwordSchema = z.string().min(12, 'must have at least 12 characters').max(256);

export const accountViewSchema = z
  .object({
    name: z.string(),
    role: z.enum(roles),
    org: z.string().nullable(),
    created_at: z.iso.datetime(),
    quota_functions: z.number().int().meta({ description: 'Functions the account may store' }),
    quota_function_bytes: z.number().int().meta({ description: 'Bytes its functions may take together' }),
  })
  .meta({ id: 'Account' });
export type AccountView = z.infer<typeof accountViewSchema>;

export const newAccountSchema = z
  .strictObject({
    name: accountNameSchema,
    password: passwordSchema,
    role: z.enum(roles).default('user'),
    org: accountNameSchema.nullish(),
    quota_functions: z.number().int().min(0).optional(),
    quota_function_bytes: z.number().int().min(0).optional(),
  })
  .meta({ id: 'NewAccount' });
export type NewAccount = z.input<typeof newAccountSchema>;

export const newPasswordSchema = z
  .strictObject({ password: passwordSchema, current_password: z.string().max(256) })
  .meta({ id: 'NewPassword' });
