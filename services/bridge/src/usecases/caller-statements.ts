/**
 * Signs who calls, for the node that is called.
 *
 * I1. A statement names one node, one user, their rights there and when it ends: at most a minute after it was made.
 * I2. The same statement is used again for half of its life: signing costs more than the rest of a small request.
 */
import type { KeyObject } from 'node:crypto';
import type { CallerStatement } from '@gantry/contracts';
import { type Clock, signStatement, toPrivateKey } from '@gantry/kernel';
import type { SigningKey } from '@gantry/store';

const lifetimeMs = 60_000;
const maxKept = 4096;

export class CallerStatements {
  readonly #clock: Clock;
  readonly #key: () => SigningKey;
  #signing: { readonly id: number; readonly key: KeyObject } | undefined;
  readonly #kept = new Map<string, { readonly text: string; readonly renewMs: number }>();

  constructor(clock: Clock, key: () => SigningKey) {
    this.#clock = clock;
    this.#key = key;
  }

  stateOf(node: string, user: string, rights: readonly string[]): string {
    const nowMs = this.#clock.now();
    const name = JSON.stringify([node, user, rights]);
    const kept = this.#kept.get(name);
    if (kept !== undefined && nowMs < kept.renewMs) return kept.text;
    const { id, key } = this.#signingKey();
    const statement: CallerStatement = {
      v: 1,
      kid: id,
      node,
      user,
      rights: [...rights],
      iat: nowMs,
      exp: nowMs + lifetimeMs,
    };
    const text = signStatement(statement, key);
    this.#kept.delete(name);
    this.#kept.set(name, { text, renewMs: nowMs + lifetimeMs / 2 });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= maxKept) break;
      this.#kept.delete(oldest);
    }
    return text;
  }

  #signingKey() {
    const { id, privateKey } = this.#key();
    if (this.#signing?.id !== id) this.#signing = { id, key: toPrivateKey(privateKey) };
    return this.#signing;
  }
}
