import type { Session } from './session.js';
import { type RequestOptions, readJson, type StreamedRequest } from './transport.js';

export interface PluginRequest extends StreamedRequest {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
}

/** A plugin of a node, through the bridge. Paths are those of the plugin: `metrics`, `jobs/17`. */
export class PluginClient {
  readonly url: string;
  readonly #session: Session;

  /** @internal */
  constructor(url: string, session: Session) {
    this.url = url;
    this.#session = session;
  }

  /**
   * Any request; the body of the answer streams and has no time limit.
   * @throws {GantryError} node-unreachable, forbidden and whatever the plugin answers beyond 2xx
   */
  request(path: string, { query, ...request }: PluginRequest = {}): Promise<Response> {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {}))
      if (value !== undefined) search.set(name, String(value));
    const text = search.toString();
    const url = `${this.url}/${path.replace(/^\/+/, '')}`;
    return this.#session.fetchSigned(
      text === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${text}`,
      request,
    );
  }

  get(path: string, options: RequestOptions & Pick<PluginRequest, 'query'> = {}): Promise<unknown> {
    return this.#json(path, options);
  }
  post(path: string, body?: unknown, options: RequestOptions = {}): Promise<unknown> {
    return this.#json(path, { ...options, ...toJsonRequest('POST', body) });
  }
  put(path: string, body?: unknown, options: RequestOptions = {}): Promise<unknown> {
    return this.#json(path, { ...options, ...toJsonRequest('PUT', body) });
  }
  delete(path: string, options: RequestOptions = {}): Promise<unknown> {
    return this.#json(path, { ...options, method: 'DELETE' });
  }

  async #json(path: string, request: PluginRequest): Promise<unknown> {
    return readJson(await this.request(path, request));
  }
}

const toJsonRequest = (method: string, body: unknown): StreamedRequest => ({
  method,
  ...(body === undefined
    ? {}
    : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
});
