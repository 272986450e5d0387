/**
 * Whose the sessions of original edges' plugins are: an edge gives them to anybody who knows, or guesses, 32 bits.
 *
 * I1. A session is used by who registered it. Others, and everyone after a restart of the bridge, are told that it is
 *     unknown, as an edge says of one that has ended; who manages the node may use any.
 * I2. A list of sessions has the caller's own.
 * I3. Bounded, for each user as well: who registers very many loses their own oldest, and nobody else theirs.
 */
import { Readable } from 'node:stream';
import { AppError } from '@gantry/kernel';
import type { TunnelAnswer, TunnelTarget } from '@gantry/tunnel';
import { readAnswerBody } from './read-answer-body.js';

export interface SessionCall {
  readonly node: string;
  readonly plugin: string;
  /** As the node is asked. */
  readonly path: string;
  readonly user: string;
  /** Owner of the node, or administrator. */
  readonly isManager: boolean;
}

const maxKept = 10_000;
const maxPerUser = 500;
/** A list of sessions, or the word of a new one. */
const bounds = { maxBytes: 1024 * 1024, timeoutMs: 15_000 };
const sid = /^session\.[0-9a-z]+$/i;
const maxIdChars = 128;

export class OriginalSessions {
  readonly #owners = new Map<string, string>();
  /** By user, the oldest first. */
  readonly #ofUser = new Map<string, Set<string>>();

  /** The link, as this caller may use it. */
  guard(link: TunnelTarget, call: SessionCall): TunnelTarget {
    return {
      name: link.name,
      connect: (request) => link.connect(request),
      request: async (request) => {
        this.#demand(call);
        const answer = await link.request(request);
        const last = segmentsOf(call.path).at(-1);
        if (answer.status !== 200) return answer;
        if (last === 'register_session') return await this.#remember(call, answer);
        return last === 'list_sessions' && !call.isManager ? await this.#ownOnly(call, answer) : answer;
      },
    };
  }

  /** I1 */
  #demand(call: SessionCall): void {
    for (const segment of segmentsOf(call.path))
      if (sid.test(segment) && !this.#isOf(call, segment))
        throw new AppError('session-not-found', `unknown session id: ${segment}`);
  }

  #isOf(call: SessionCall, id: string): boolean {
    return call.isManager || this.#owners.get(keyOf(call, id)) === call.user;
  }

  async #remember(call: SessionCall, answer: TunnelAnswer): Promise<TunnelAnswer> {
    const { bytes, value } = await readJson(answer);
    const { sid: id } = (value ?? {}) as { sid?: unknown };
    if (typeof id === 'string' && id.length <= maxIdChars) this.#keep(keyOf(call, id), call.user);
    return withBody(answer, bytes);
  }

  /** I3 */
  #keep(key: string, user: string): void {
    this.#forget(key);
    const own = this.#ofUser.get(user) ?? new Set();
    this.#ofUser.set(user, own);
    own.add(key);
    this.#owners.set(key, user);
    for (const oldest of own) {
      if (own.size <= maxPerUser) break;
      this.#forget(oldest);
    }
    for (const oldest of this.#owners.keys()) {
      if (this.#owners.size <= maxKept) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const user = this.#owners.get(key);
    if (user === undefined) return;
    this.#owners.delete(key);
    const own = this.#ofUser.get(user);
    own?.delete(key);
    if (own?.size === 0) this.#ofUser.delete(user);
  }

  /** I2 */
  async #ownOnly(call: SessionCall, answer: TunnelAnswer): Promise<TunnelAnswer> {
    const { value } = await readJson(answer);
    const { sessions } = (value ?? {}) as { sessions?: unknown };
    const known = Array.isArray(sessions) ? sessions.map(String) : [];
    const own = known.filter((id) => this.#isOf(call, id));
    return withBody(answer, Buffer.from(JSON.stringify({ sessions: own })));
  }
}

const keyOf = ({ node, plugin }: SessionCall, id: string) => `${node} ${plugin} ${id}`;

/** An edge decodes its paths, so that an encoded id is the same one to it. */
function segmentsOf(path: string): string[] {
  return (path.split('?', 1)[0] ?? '').split('/').map((segment) => {
    try {
      return decodeURIComponent(segment);
    } catch {
      return segment;
    }
  });
}

async function readJson({ body }: TunnelAnswer): Promise<{ bytes: Buffer; value: unknown }> {
  const bytes = await readAnswerBody(body, bounds);
  try {
    return { bytes, value: JSON.parse(bytes.toString('utf8')) };
  } catch {
    return { bytes, value: undefined };
  }
}

const withBody = (answer: TunnelAnswer, bytes: Buffer): TunnelAnswer => ({
  ...answer,
  headers: { ...answer.headers, 'content-length': String(bytes.length) },
  body: Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false }),
});
