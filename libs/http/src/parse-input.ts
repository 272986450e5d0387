import type { RouteContract } from '@gantry/contracts';
import { AppError, type FieldError } from '@gantry/kernel';
import type { z } from 'zod';

type Where = 'path' | 'query' | 'body';

/**
 * Parses the parts of a request by its contract; the body not when `bodyAs` is `bytes`.
 * @throws {AppError} invalid-request with every broken field
 */
export function parseInput(
  contract: RouteContract,
  input: { params: unknown; query: unknown; bytes: Buffer },
  bodyAs: 'parsed' | 'bytes' = 'parsed',
): { params: unknown; query: unknown; body: unknown } {
  const errors: FieldError[] = [];
  const take = (where: Where, schema: z.ZodType | undefined, value: unknown): unknown => {
    if (schema === undefined) return undefined;
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    errors.push(...toFieldErrors(where, result.error));
    return undefined;
  };
  const parsed = {
    params: take('path', contract.params, input.params),
    query: take('query', contract.query, input.query),
    body:
      contract.body === undefined || bodyAs === 'bytes'
        ? undefined
        : takeBody(contract, input.bytes, errors, take),
  };
  if (errors.length === 0) return parsed;
  const [first] = errors;
  throw new AppError('invalid-request', `${first?.pointer}: ${first?.detail}`, { errors });
}

function takeBody(
  contract: RouteContract,
  bytes: Buffer,
  errors: FieldError[],
  take: (where: Where, schema: z.ZodType | undefined, value: unknown) => unknown,
): unknown {
  if (bytes.length === 0) {
    if (contract.bodyOptional !== true) errors.push({ pointer: '/body', detail: 'is required' });
    return undefined;
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    errors.push({ pointer: '/body', detail: 'must be JSON' });
    return undefined;
  }
  return take('body', contract.body, value);
}

/** At most 20 errors: a body can be wrong in a million places. */
function toFieldErrors(where: Where, error: z.ZodError): FieldError[] {
  return error.issues.slice(0, 20).map((issue) => ({
    pointer: ['', where, ...issue.path.map(escapePointer)].join('/'),
    detail: issue.message,
  }));
}

/** @see https://www.rfc-editor.org/rfc/rfc6901#section-3 */
const escapePointer = (key: PropertyKey): string => String(key).replaceAll('~', '~0').replaceAll('/', '~1');
