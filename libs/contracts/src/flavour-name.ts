import { z } from 'zod';

/** Names that can be part of a queue name and a routing key: no dot, because keys are split at dots. */
export const flavourNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    'must be 1 to 64 letters, digits, "-" or "_", and begin with a letter or digit',
  );
