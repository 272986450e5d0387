/** Cursors of keyset pages: the sort key of the last row, opaque to callers. */
import { AppError } from '@gantry/kernel';

type Key = readonly (string | number)[];
type Shape = readonly ('string' | 'number')[];

export const encodeCursor = (key: Key): string => Buffer.from(JSON.stringify(key)).toString('base64url');

/** @throws {AppError} invalid-request when the cursor is not one that this kind of list gave out */
export function decodeCursor(cursor: string, shape: Shape): Key {
  const key = parse(cursor);
  const fits =
    Array.isArray(key) && key.length === shape.length && shape.every((type, at) => isOf(key[at], type));
  if (!fits) {
    const detail = 'is not a cursor of this list; start without one or use next_cursor of the page before';
    throw new AppError('invalid-request', 'The cursor is not valid', {
      errors: [{ pointer: '/query/cursor', detail }],
    });
  }
  return key;
}

/** Cuts the extra row off that was read to learn whether another page follows. */
export function toPage<R, T>(
  rows: readonly R[],
  limit: number,
  keyOf: (row: R) => Key,
  toItem: (row: R) => T,
): { items: T[]; nextCursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(toItem),
    nextCursor: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null,
  };
}

const isOf = (value: unknown, type: 'string' | 'number'): boolean =>
  type === 'number' ? Number.isSafeInteger(value) : typeof value === 'string' && value.length <= 1024;

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
}
