import {
  bridgeApi,
  type LabelSettings,
  type NodeCredential,
  type NodeEnrolment,
  type NodeEvent,
  type NodeGrant,
  type NodeView,
  nodeEventSchema,
  type RouteContract,
} from '@gantry/contracts';
import { FilesClient } from './files-client.js';
import { GantryError, isGantryError } from './gantry-error.js';
import { JobsClient } from './jobs-client.js';
import { type ListOptions, type Page, Paged } from './paged.js';
import { PluginClient } from './plugin-client.js';
import { readEventStream } from './read-event-stream.js';
import type { Session } from './session.js';
import type { AnswerOf, RequestOptions, RouteInput } from './transport.js';

/** Settings by plugin and key, and plugins that are not to run. */
export interface NodeSettingsInput {
  readonly disabled?: readonly string[];
  readonly plugins?: Readonly<Record<string, object>>;
  /** Only if the settings still have this revision; 0: there are none yet. */
  readonly revision?: number | undefined;
}

/** Where a WebSocket is, and the fields of the request for it. */
export interface WebSocketAddress {
  readonly url: string;
  readonly headers: { readonly authorization: string };
}

/** What to follow; nothing: everything that the account may see. */
export interface EventOptions {
  readonly node?: string | undefined;
  readonly plugin?: string | undefined;
  readonly topic?: string | undefined;
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Every route of one bridge; {@link GantryClient.bridge} makes it.
 *
 * @example
 * const bridge = gantry.bridge('http://127.0.0.1:1341');
 * const metrics = await bridge.node('hpc-login-1').plugin('sysinfo').get('metrics');
 */
export class BridgeClient {
  readonly url: string;
  readonly nodes: NodesClient;
  readonly #session: Session;

  /** @internal */
  constructor(url: string, session: Session) {
    this.url = url.replace(/\/+$/, '');
    this.#session = session;
    this.nodes = new NodesClient(this.url, session);
  }

  /** One node; nothing is asked yet. */
  node(name: string): NodeClient {
    return new NodeClient(`${this.url}/v1/nodes/${encodeURIComponent(name)}`, this.#session);
  }

  /**
   * Events of nodes as they come. A connection that breaks is made again, and goes on behind the last event as far as
   * the bridge still has it; `gap` says how many were lost because this reader was too slow.
   * @throws {GantryError} when the bridge refuses
   */
  async *events({
    node,
    plugin,
    signal,
    topic,
  }: EventOptions = {}): AsyncGenerator<NodeEvent, void, undefined> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ node, plugin, topic }))
      if (value !== undefined) query.set(name, value);
    const url = `${this.url}/v1/events?${query}`;
    let lastId: string | undefined;
    let isFirst = true;
    const isOver = () => signal?.aborted === true;
    while (!isOver()) {
      try {
        for await (const { data, id } of this.#open(url, lastId, signal)) {
          isFirst = false;
          lastId = id ?? lastId;
          const event = nodeEventSchema.safeParse(JSON.parse(data));
          if (event.success) yield event.data;
        }
      } catch (error) {
        if (isOver()) return;
        const isPassing = !isGantryError(error) || error.code === 'unreachable' || error.status === 503;
        if (isFirst || !isPassing) throw error;
      }
      if (!isOver()) await new Promise((wake) => setTimeout(wake, 500 + Math.random() * 1500));
    }
  }

  async *#open(url: string, lastId: string | undefined, signal: AbortSignal | undefined) {
    const response = await this.#session.fetchSigned(url, {
      headers: { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) },
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.body === null)
      throw new GantryError({ code: 'unexpected-answer', url, detail: `${url} answered without a body` });
    yield* readEventStream(response.body);
  }
}

/** The nodes of a bridge: who is there, who may join, who may reach them. */
export class NodesClient {
  readonly #url: string;
  readonly #session: Session;

  /** @internal */
  constructor(url: string, session: Session) {
    this.#url = url;
    this.#session = session;
  }

  /** By name; those that the account may see. */
  list({ limit, ...options }: ListOptions = {}): Paged<NodeView> {
    return new Paged(
      (cursor) =>
        this.#call(bridgeApi.listNodes, { query: { limit, cursor } }, options) as Promise<unknown> as Promise<
          Page<NodeView>
        >,
    );
  }
  /** @throws {GantryError} node-not-found */
  show(name: string, options: RequestOptions = {}): Promise<NodeView> {
    return this.#call(bridgeApi.readNode, { params: { name } }, options);
  }
  /**
   * Makes a one-time token with which an agent joins under this name; it is answered this once.
   * @throws {GantryError} node-exists, unless `replace` and the node is the account's
   */
  enrol(
    name: string,
    {
      labels,
      owner,
      replace,
      ...options
    }: RequestOptions & {
      readonly owner?: string | undefined;
      readonly labels?: Readonly<Record<string, string>> | undefined;
      readonly replace?: boolean | undefined;
    } = {},
  ): Promise<NodeEnrolment> {
    return this.#call(bridgeApi.enrolNode, { body: { name, owner, labels, replace } }, options);
  }
  /** Exchanges an enrolment token for the credential of the node; agents do that by themselves. */
  redeem(name: string, enrolmentToken: string, options: RequestOptions = {}): Promise<NodeCredential> {
    const headers = { authorization: `Bearer ${enrolmentToken}` };
    return this.#call(bridgeApi.redeemEnrolment, { params: { name }, headers }, options);
  }
  /** Replaces with whom the node is shared. */
  setGrants(name: string, grants: readonly NodeGrant[], options: RequestOptions = {}): Promise<NodeView> {
    return this.#call(bridgeApi.setNodeGrants, { params: { name }, body: grants }, options);
  }
  /**
   * Replaces the node's own settings of its plugins; a connected agent takes them at once.
   * @throws {GantryError} invalid-request naming the fields · precondition-failed at another `revision` than the given
   */
  setSettings(name: string, settings: NodeSettingsInput, options: RequestOptions = {}): Promise<NodeView> {
    return this.#call(bridgeApi.setNodeSettings, { params: { name }, body: settings }, options);
  }
  /** Settings for all nodes with a label, by label (administrators). */
  labelSettings(options: RequestOptions = {}): Promise<LabelSettings[]> {
    return this.#call(bridgeApi.listLabelSettings, {}, options);
  }
  /**
   * Replaces the settings for nodes with a label, such as `site=lab` (administrators). A node's own go over them.
   * @throws {GantryError} as {@link setSettings}
   */
  setLabelSettings(
    label: string,
    settings: NodeSettingsInput,
    options: RequestOptions = {},
  ): Promise<LabelSettings> {
    return this.#call(bridgeApi.setLabelSettings, { params: { label }, body: settings }, options);
  }
  /** @throws {GantryError} settings-not-found */
  async removeLabelSettings(label: string, options: RequestOptions = {}): Promise<void> {
    await this.#call(bridgeApi.removeLabelSettings, { params: { label } }, options);
  }
  /** Ends the credential and the connection of the node. */
  revoke(name: string, options: RequestOptions = {}): Promise<NodeView> {
    return this.#call(bridgeApi.revokeNode, { params: { name } }, options);
  }
  /** Ends the connection; the agent connects again. */
  disconnect(name: string, options: RequestOptions = {}): Promise<NodeView> {
    return this.#call(bridgeApi.disconnectNode, { params: { name } }, options);
  }
  /** Forgets the node. */
  async remove(name: string, options: RequestOptions = {}): Promise<void> {
    await this.#call(bridgeApi.removeNode, { params: { name } }, options);
  }

  #call<C extends RouteContract>(
    contract: C,
    input: RouteInput,
    options: RequestOptions,
  ): Promise<AnswerOf<C>> {
    return this.#session.request(this.#url, contract, input, options);
  }
}

/** One node behind a bridge. */
export class NodeClient {
  readonly #url: string;
  readonly #session: Session;

  /** @internal */
  constructor(url: string, session: Session) {
    this.#url = url;
    this.#session = session;
  }

  /**
   * How to open a WebSocket of a plugin, with any library that can set fields: `ports/connect/8888`.
   * @throws {GantryError} when there is no token to be had
   */
  async webSocketAt(path: string, options: RequestOptions = {}): Promise<WebSocketAddress> {
    const authorization = `Bearer ${await this.#session.token(options)}`;
    return { url: `${this.#url.replace(/^http/, 'ws')}/${path}`, headers: { authorization } };
  }

  /** A plugin by its name or an alias: `sysinfo`, `jobs`, `files`. */
  plugin(name: 'jobs'): JobsClient;
  plugin(name: 'files'): FilesClient;
  plugin(name: string): PluginClient;
  plugin(name: string): PluginClient {
    const Client = name === 'jobs' ? JobsClient : name === 'files' ? FilesClient : PluginClient;
    return new Client(`${this.#url}/${encodeURIComponent(name)}`, this.#session);
  }
}
