import { hash, verify } from '@node-rs/argon2';
import type { PasswordHasher } from '../../ports.js';

/** OWASP's first choice for argon2id (the library's own algorithm): 19 MiB, two passes, one lane. */
const options = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 };

/** Argon2id (RFC 9106) in libuv's threads; a hash remembers its parameters, so that they can be raised later. */
export const argon2Hasher: PasswordHasher = {
  hash: (password) => hash(password, options),
  verify: (passwordHash, password) => verify(passwordHash, password),
};

/**
 * Verified in place of an unknown account's hash: made with the same parameters of a password that nobody kept
 * (a test compares the parameters).
 */
export const decoyHash =
  '$argon2id$v=19$m=19456,t=2,p=1$cxyFV8IbidEWu3gI+3FdYg$h+0AjdFjcvXw2o+fpVe2yBnKQMZpT29nsD252spSgFQ';
