/**
 * The sessions of one plugin, as older clients open them.
 *
 * I1. A session is of its creator alone: to everybody else it does not exist.
 * I2. It ends an hour after its last use; the creator hears that once (410), afterwards it never was (404).
 * I3. A user has at most 100, a plugin at most 1000; ended ones are remembered for another hour at most.
 */
import { randomBytes } from 'node:crypto';
import { AppError, type Clock } from '@gantry/kernel';
import type { PluginSession } from './ports.js';

/** As the older edge services have it. */
export const sessionTtlMs = 3600_000;
const maxPerUser = 100;
const maxPerPlugin = 1000;

interface HeldSession extends PluginSession {
  lastUsedAtMs: number;
}

export class Sessions {
  readonly #sessions = new Map<string, HeldSession>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws {AppError} too-many-concurrent */
  open(user: string): PluginSession {
    this.#sweep();
    const live = [...this.#sessions.values()].filter((session) => !this.#isOver(session));
    if (live.length >= maxPerPlugin || live.filter((session) => session.user === user).length >= maxPerUser)
      throw new AppError('too-many-concurrent', 'There are too many open sessions; unregister some');
    const nowMs = this.#clock.now();
    // 128 bits: the older clients' only secret is this name.
    const sid = `session.${randomBytes(16).toString('hex')}`;
    const session = { sid, user, createdAt: nowMs, lastUsedAtMs: nowMs };
    this.#sessions.set(sid, session);
    return session;
  }

  /** @throws {AppError} session-not-found, session-expired */
  use(sid: string, user: string): PluginSession {
    const session = this.#sessions.get(sid);
    // I1
    if (session === undefined || session.user !== user) throw unknownSession(sid);
    if (this.#isOver(session)) {
      // I2
      this.#sessions.delete(sid);
      throw new AppError('session-expired', `The session ${sid} was not used for an hour and has ended`);
    }
    session.lastUsedAtMs = this.#clock.now();
    return session;
  }

  /** @throws {AppError} session-not-found, session-expired */
  close(sid: string, user: string): void {
    this.use(sid, user);
    this.#sessions.delete(sid);
  }

  listOf(user: string): readonly string[] {
    return [...this.#sessions.values()]
      .filter((session) => session.user === user && !this.#isOver(session))
      .map(({ sid }) => sid);
  }

  get activeCount(): number {
    return [...this.#sessions.values()].filter((session) => !this.#isOver(session)).length;
  }

  #isOver(session: HeldSession): boolean {
    return this.#clock.now() - session.lastUsedAtMs >= sessionTtlMs;
  }

  /** I3 */
  #sweep(): void {
    const forgetBeforeMs = this.#clock.now() - 2 * sessionTtlMs;
    for (const [sid, session] of this.#sessions)
      if (session.lastUsedAtMs <= forgetBeforeMs) this.#sessions.delete(sid);
    // Ended ones beyond the bound go oldest first; Map keeps the order of opening.
    for (const [sid, session] of this.#sessions) {
      if (this.#sessions.size < 2 * maxPerPlugin) break;
      if (this.#isOver(session)) this.#sessions.delete(sid);
    }
  }
}

const unknownSession = (sid: string): AppError =>
  new AppError('session-not-found', `unknown session id: ${sid.slice(0, 100)}`);
