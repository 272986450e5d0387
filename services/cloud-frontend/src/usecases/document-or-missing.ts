import { AppError } from '@gantry/kernel';
import type { Found } from '@gantry/store';

/**
 * The document, where one of the other kind is as good as none.
 * @throws {AppError} document-not-found
 */
export function documentOrMissing<T>(found: Found<T>, kind: 'function' | 'requirement', id: number): T {
  if (found.kind === 'found') return found.document;
  throw new AppError('document-not-found', `There is no ${kind} ${id}`);
}

/**
 * The document, where one of the other kind is told apart (as COGNIT does for requirements).
 * @throws {AppError} document-not-found, wrong-document-type
 */
export function documentOfKind<T>(found: Found<T>, kind: 'function' | 'requirement', id: number): T {
  if (found.kind !== 'wrong-type') return documentOrMissing(found, kind, id);
  // RFC 9110 wants Allow with every 405; under this path the document allows nothing.
  throw new AppError('wrong-document-type', `Document ${id} is not a ${kind}`, { headers: { allow: '' } });
}
