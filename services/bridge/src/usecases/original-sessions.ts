/**
 * Whose the sessions of original edges' plugins are: an edge gives them to anybody who knows, or guesses, 32 bits.
 *
 * I1. A session is used by who registered it. Others, and everyone after a restart of the bridge, are told that it is
 *     unknown, as an edge says of one that has ended; who manages the node may use any.
 * I2. A list of sessions has the caller's own.
 */
import { Readable } from 'node:stream';
import { AppError } from '@gantry/kernel';
import type { TunnelAnswer, TunnelTarget } from '@gantry/tunnel';

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
const sid = /^session\.[0-9a-z]+$/i;

export class OriginalSessions {
  readonly #owners = new Map<string, string>();

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
    if (typeof id === 'string') this.#owners.set(keyOf(call, id), call.user);
    for (const oldest of this.#owners.keys()) {
      if (this.#owners.size <= maxKept) break;
      this.#owners.delete(oldest);
    }
    return withBody(answer, bytes);
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
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
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
