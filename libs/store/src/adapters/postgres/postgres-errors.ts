import { AppError, messageOf } from '@gantry/kernel';

/** SQLSTATE classes that are our mistake: data exceptions, broken constraints, wrong SQL (PostgreSQL, appendix A). */
const mistakeClasses = ['22', '23', '42'];
/** Wrong password, unknown database: waiting does not help. */
const hopelessClasses = ['28', '3D'];
/** The server ends the statement but keeps the connection: cancelled by timeout, lock not available, deadlock. */
const harmlessStates = ['57014', '55P03', '40001', '40P01', '25006'];

/** Five characters such as 57P01; undefined for errors of the network and of the client. */
const sqlStateOf = (error: unknown): string | undefined => {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E') ? code : undefined;
};

const isOfClass = (state: string | undefined, classes: readonly string[]): boolean =>
  state !== undefined && classes.some((prefix) => state.startsWith(prefix));

/** What pg threw, as the one error of the platform. */
export function toStoreError(error: unknown, location: string): AppError {
  if (isOfClass(sqlStateOf(error), mistakeClasses)) {
    return new AppError('internal-error', 'The store refused a statement', { cause: error });
  }
  const reason = messageOf(error) || 'no connection';
  return new AppError('store-unavailable', `The store ${location} does not answer: ${reason}`, {
    cause: error,
    retryAfterMs: 2000,
  });
}

/** Whether the connection on which this happened may be used again. */
export const keepsConnection = (error: unknown): boolean => {
  const state = sqlStateOf(error);
  return isOfClass(state, mistakeClasses) || (state !== undefined && harmlessStates.includes(state));
};

/** Whether the same connection attempt may succeed later. */
export const isPassing = (error: unknown): boolean => {
  const cause = typeof error === 'object' && error !== null && 'cause' in error ? error.cause : undefined;
  if (cause === undefined) return false;
  const state = sqlStateOf(cause);
  return !isOfClass(state, [...mistakeClasses, ...hopelessClasses]);
};
