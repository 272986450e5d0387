/**
 * Believes the bridge, and nobody else, about who calls.
 *
 * I1. Only a statement that a key of the credential signed, for this node, and that has not ended. A key that was
 *     replaced counts for two minutes more: what it signed before is still under way.
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
const replacedKeyMs = 120_000;

interface KnownKey {
  readonly key: KeyObject;
  readonly untilMs: number;
}

/** @param readCredential the one that is in force; undefined before the node has one */
export function createCallerVerifier(
  readCredential: () => NodeCredential | undefined,
  clock: Clock,
): VerifyCaller {
  const kept = new Map<string, Caller>();
  let keys: { readonly of: NodeCredential; readonly byId: ReadonlyMap<number, KnownKey> } | undefined;
  return async ({ headers }) => {
    const text = headers[callerHeader];
    if (typeof text !== 'string' || text.length > maxStatementChars)
      throw refuse('There is no statement of who calls');
    const credential = readCredential();
    if (credential === undefined) throw refuse('The node has no credential yet');
    if (keys?.of !== credential) {
      kept.clear();
      keys = { of: credential, byId: nextKeys(keys?.byId, credential, clock.now()) };
    }
    const known = kept.get(text);
    const caller = known ?? toCaller(verify(text, credential.name, keys.byId, clock.now()));
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
function verify(
  text: string,
  node: string,
  keys: ReadonlyMap<number, KnownKey>,
  nowMs: number,
): CallerStatement {
  const statement = callerStatementSchema.safeParse(peekStatement(text));
  if (!statement.success) throw refuse('The statement of who calls cannot be read');
  const known = keys.get(statement.data.kid);
  if (known === undefined || known.untilMs <= nowMs || !isSignedBy(text, known.key))
    throw refuse('The statement of who calls is not of this bridge');
  if (statement.data.node !== node) throw refuse('The statement of who calls is for another node');
  return statement.data;
}

/** I1 */
function nextKeys(
  before: ReadonlyMap<number, KnownKey> | undefined,
  { bridge_keys }: NodeCredential,
  nowMs: number,
): ReadonlyMap<number, KnownKey> {
  const next = new Map<number, KnownKey>();
  for (const [id, { key, untilMs }] of before ?? [])
    if (untilMs > nowMs) next.set(id, { key, untilMs: Math.min(untilMs, nowMs + replacedKeyMs) });
  for (const { id, public_key } of bridge_keys)
    next.set(id, { key: toPublicKey(public_key), untilMs: Number.POSITIVE_INFINITY });
  return next;
}

const toCaller = ({ exp, rights, user }: CallerStatement): Caller => ({
  user,
  rights,
  expiresAt: exp + toleranceMs,
});

const refuse = (detail: string) => new AppError('invalid-token', detail);
