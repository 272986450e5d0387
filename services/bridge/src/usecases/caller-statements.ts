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
  readonly #keyFor: (node: string) => SigningKey;
  readonly #signing = new Map<number, KeyObject>();
  readonly #kept = new Map<string, { readonly text: string; readonly renewMs: number }>();

  /** @param keyFor the newest key that the node knows */
  constructor(clock: Clock, keyFor: (node: string) => SigningKey) {
    this.#clock = clock;
    this.#keyFor = keyFor;
  }

  stateOf(node: string, user: string, rights: readonly string[]): string {
    const nowMs = this.#clock.now();
    const signing = this.#keyFor(node);
    const { id } = signing;
    const name = JSON.stringify([node, user, rights, id]);
    const kept = this.#kept.get(name);
    if (kept !== undefined && nowMs < kept.renewMs) return kept.text;
    const statement: CallerStatement = {
      v: 1,
      kid: id,
      node,
      user,
      rights: [...rights],
      iat: nowMs,
      exp: nowMs + lifetimeMs,
    };
    const text = signStatement(statement, this.#parsed(signing));
    this.#kept.delete(name);
    this.#kept.set(name, { text, renewMs: nowMs + lifetimeMs / 2 });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= maxKept) break;
      this.#kept.delete(oldest);
    }
    return text;
  }

  #parsed({ id, privateKey }: SigningKey): KeyObject {
    const key = this.#signing.get(id) ?? toPrivateKey(privateKey);
    this.#signing.set(id, key);
    return key;
  }
}
