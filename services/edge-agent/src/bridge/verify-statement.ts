/**
 * Believes the bridge, and nobody else, about who calls.
 *
 * I1. Only a statement that a key from the enrolment signed, for this node, and that has not ended.
 * I2. A statement that was verified is believed again until it ends: calls of one user carry the same for a while.
 */
import type { KeyObject } from 'node:crypto';
import {
  type CallerStatement,
  callerHeader,
  callerStatementSchema,
  type NodeCredential,
} from '@gantry/contracts';
import { AppError, type Clock, isSignedBy, peekStatement, toPublicKey } from '@gantry/kernel';
import type { Caller, VerifyCaller } from '../core/ports.js';

const maxKept = 1024;
const maxStatementChars = 32 * 1024;
/** The clocks of bridge and node may differ by this much. */
const toleranceMs = 30_000;

/** @param readCredential the one that is in force; undefined before the node has one */
export function createCallerVerifier(
  readCredential: () => NodeCredential | undefined,
  clock: Clock,
): VerifyCaller {
  const kept = new Map<string, Caller>();
  let keys: { readonly of: NodeCredential; readonly byId: ReadonlyMap<number, KeyObject> } | undefined;
  return async ({ headers }) => {
    const text = headers[callerHeader];
    if (typeof text !== 'string' || text.length > maxStatementChars)
      throw refuse('There is no statement of who calls');
    const credential = readCredential();
    if (credential === undefined) throw refuse('The node has no credential yet');
    if (keys?.of !== credential) {
      kept.clear();
      keys = {
        of: credential,
        byId: new Map(credential.bridge_keys.map(({ id, public_key }) => [id, toPublicKey(public_key)])),
      };
    }
    const known = kept.get(text);
    const caller = known ?? toCaller(verify(text, credential.name, keys.byId));
    if (caller.expiresAt <= clock.now()) {
      kept.delete(text);
      throw new AppError('token-expired', 'The statement of who calls has expired; do the clocks agree?');
    }
    if (known === undefined) {
      kept.set(text, caller);
      for (const oldest of kept.keys()) {
        if (kept.size <= maxKept) break;
        kept.delete(oldest);
      }
    }
    return caller;
  };
}

/** I1 */
function verify(text: string, node: string, keys: ReadonlyMap<number, KeyObject>): CallerStatement {
  const statement = callerStatementSchema.safeParse(peekStatement(text));
  if (!statement.success) throw refuse('The statement of who calls cannot be read');
  const key = keys.get(statement.data.kid);
  if (key === undefined || !isSignedBy(text, key))
    throw refuse('The statement of who calls is not of this bridge');
  if (statement.data.node !== node) throw refuse('The statement of who calls is for another node');
  return statement.data;
}

const toCaller = ({ exp, rights, user }: CallerStatement): Caller => ({
  user,
  rights,
  expiresAt: exp + toleranceMs,
});

const refuse = (detail: string) => new AppError('invalid-token', detail);
