/**
 * The Python client of RADICAL Edge as far as a bridge can tell: its requests with the headers of httpx, its request ids
 * that begin at the same number in every process, its way to read errors, and its thread that listens for events.
 */
import { type IncomingMessage, request } from 'node:http';

type Query = Readonly<Record<string, string | number | boolean | null>>;

/** What a callback gets. */
export interface Notification {
  readonly edge: string;
  readonly plugin: string;
  readonly topic: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface EdgeList {
  readonly data: {
    readonly edges: Readonly<
      Record<string, { readonly plugins: Readonly<Record<string, { namespace: string }>> }>
    >;
  };
}

const timeoutMs = 60_000;

export class OriginalBridgeClient {
  readonly #url: string;
  #count = 0;
  #listener: IncomingMessage | undefined;

  /** @param url of the bridge; it cannot set headers, so its token is in the path */
  constructor(url: string) {
    this.#url = url.replace(/\/+$/, '');
  }

  /** @throws Error as its RuntimeError: `HTTP 404 — [edge/plugin] … — detail` */
  async call(method: 'GET' | 'POST', path: string, options: { json?: unknown; params?: Query } = {}) {
    const answer = await this.#send(method, path, options);
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const status = answer.statusCode ?? 0;
    if (status < 400) return JSON.parse(text) as Record<string, unknown>;
    const body = JSON.parse(text) as { detail?: unknown };
    const [, edge = '', plugin = ''] = path.split('/');
    throw new Error(
      `HTTP ${status} — [${edge}/${plugin}] — ${typeof body.detail === 'string' ? body.detail : text}`,
    );
  }

  async listEdges(): Promise<EdgeList['data']['edges']> {
    return ((await this.call('POST', '/edge/list')) as unknown as EdgeList).data.edges;
  }

  /** `get_edge_client(edge).get_plugin(name)` */
  async plugin(edge: string, name: string): Promise<OriginalPluginClient> {
    const namespace = (await this.listEdges())[edge]?.plugins[name]?.namespace;
    if (namespace === undefined) throw new Error(`the edge ${edge} has no plugin ${name}`);
    const { sid } = await this.call('POST', `${namespace}/register_session`, { json: {} });
    return new OriginalPluginClient(this, namespace, String(sid));
  }

  /** Its listener: every line that begins with `data:` is one event. Resolves when it listens. */
  async listen(onNotification: (notification: Notification) => void): Promise<void> {
    const answer = await this.#send('GET', '/events', {}, { accept: 'text/event-stream' });
    this.#listener = answer;
    let rest = '';
    await new Promise<void>((resolve) => {
      answer.on('error', () => undefined);
      answer.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString('utf8')).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (!line.startsWith('data:')) continue;
          const { topic, data } = JSON.parse(line.slice(5)) as { topic: string; data: Notification };
          if (topic === 'notification') onNotification(data);
          else resolve();
        }
      });
    });
  }

  close(): void {
    this.#listener?.destroy();
  }

  #send(
    method: string,
    path: string,
    { json, params }: { json?: unknown; params?: Query },
    more: Readonly<Record<string, string>> = {},
  ): Promise<IncomingMessage> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params ?? {}))
      query.set(name, value === null ? '' : String(value));
    const body = json === undefined ? undefined : JSON.stringify(json);
    const headers = {
      accept: '*/*',
      'accept-encoding': 'gzip, deflate',
      connection: 'keep-alive',
      'user-agent': 'python-httpx/0.28.1',
      'x-request-id': `req.${String(this.#count).padStart(6, '0')}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      // httpx says how long an empty body of a POST is, too.
      ...(method === 'POST' ? { 'content-length': String(Buffer.byteLength(body ?? '')) } : {}),
      ...more,
    };
    this.#count += 1;
    const url = `${this.#url}${path}${params === undefined ? '' : `?${query.toString()}`}`;
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, headers, timeout: timeoutMs }, resolve);
      sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${path}`)));
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

/** A plugin with its session; methods of its subclasses are spelled out as paths. */
export class OriginalPluginClient {
  readonly sid: string;
  readonly #bridge: OriginalBridgeClient;
  readonly #namespace: string;

  constructor(bridge: OriginalBridgeClient, namespace: string, sid: string) {
    this.#bridge = bridge;
    this.#namespace = namespace;
    this.sid = sid;
  }

  /** `{sid}` in the path is the session. */
  get(path: string, params?: Query) {
    return this.#bridge.call('GET', this.#pathOf(path), params === undefined ? {} : { params });
  }

  post(path: string, json?: unknown) {
    return this.#bridge.call('POST', this.#pathOf(path), json === undefined ? {} : { json });
  }

  close() {
    return this.post('unregister_session/{sid}');
  }

  #pathOf(path: string): string {
    return `${this.#namespace}/${path.replace('{sid}', this.sid)}`;
  }
}
