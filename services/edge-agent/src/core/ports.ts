/**
 * The port between the agent and its plugins. A plugin is a folder `plugins/<name>/` that exports one
 * {@link AgentPlugin}; the agent does routing, permissions, sessions, limits, configuration and events for all of them.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { Clock, Logger } from '@gantry/kernel';
import type { z } from 'zod';

export interface AgentPlugin<C = unknown> {
  /** First segment of its paths: `jobs`. */
  readonly name: string;
  /** Other first segments that mean the same: `psij`. */
  readonly aliases: readonly string[];
  readonly version: string;
  /** Parses `{}` to a full set of defaults and refuses keys that it does not know. */
  readonly configSchema: z.ZodType<C>;
  /** How a page may show the plugin; answered by `GET ui_config`. */
  readonly ui?: Readonly<Record<string, unknown>>;
  /** true, or why it cannot run on this machine. Asked again whenever settings change. */
  isSupported(context: PluginContext<C>): Promise<true | string>;
  /** @throws anything: the plugin is `failed` with that text, and started again after a while */
  start(context: PluginContext<C>): Promise<RunningPlugin<C>>;
}

export interface RunningPlugin<C = unknown> {
  readonly routes: readonly PluginRoute[];
  /**
   * Takes new settings without a stop; throwing refuses them, and the old ones stay. Without it the plugin is stopped
   * and started again.
   */
  configure?(config: C): void;
  health(): PluginHealth;
  /** What placement may select by, such as `{ scheduler: 'slurm' }`. */
  facts?(): Readonly<Record<string, unknown>>;
  stop(): Promise<void>;
}

export interface PluginHealth {
  readonly status: 'healthy' | 'degraded' | 'failed';
  readonly detail?: string;
}

export interface PluginContext<C = unknown> {
  readonly node: string;
  readonly config: C;
  /** A folder of the plugin's own, mode 0700. */
  readonly dataDir: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly events: PluginEvents;
  readonly threads: PluginThreads;
  /** Says that `health()` of the running plugin is another than before: the bridge is told at once. */
  healthChanged(): void;
  /** Aborts when the plugin is to stop. */
  readonly signal: AbortSignal;
}

export interface PluginEvents {
  /**
   * Hands an event to the spool of the agent, which sends it to the bridge in order, also after an outage or a restart.
   * @throws {RangeError} when it is larger than 256 KiB
   */
  emit(topic: string, data: unknown, options?: EmitOptions): void;
  /** Resolves when everything emitted so far is on the disk. */
  flush(): Promise<void>;
}

export interface EmitOptions {
  /** Only this user may see it; else whoever may see the node. */
  readonly audience?: string;
  /**
   * A state replaces what the same topic said before and was not sent yet; it is not kept over a restart. Use it for
   * what is only worth knowing now, such as vitals.
   */
  readonly isState?: boolean;
  /** The same id is taken once, as long as the spool remembers it (the last 4096, over restarts too). */
  readonly id?: string;
}

export interface PluginThreads {
  /**
   * Runs the export `run(input)` of a module in a worker thread of its own, for work that would block. The thread is
   * killed at the deadline, on abort, and when the plugin stops.
   * @throws {AppError} plugin-timeout, plugin-busy (too many threads at once), or what `run` threw
   */
  run<T>(module: URL, input: unknown, options: { timeoutMs: number; signal?: AbortSignal }): Promise<T>;
}

export type RouteMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface PluginRoute {
  /** GET answers HEAD too. */
  readonly method: RouteMethod;
  /**
   * `/jobs/:id`. A parameter is one segment; a last `:rest*` takes everything that is left, as it was sent. A parameter
   * named `sid` is a session of this plugin: the agent answers 404 and 410, and refuses sessions of others.
   */
  readonly path: string;
  /** What the caller must have the right to, such as `jobs:submit`; `any`: some right to this plugin. */
  readonly permission: string;
  /** Longest time without an answer, counted anew with every piece of the body that arrives. 30 s unless given. */
  readonly timeoutMs?: number;
  /** 1 MiB unless given; Infinity leaves it to the handler. */
  readonly maxBodyBytes?: number;
  /** With GET: asked for by an upgrade, and answered with `socket`. */
  readonly isWebSocket?: boolean;
  readonly handler: (call: PluginCall) => Promise<PluginReply>;
}

export interface Caller {
  readonly user: string;
  /** `jobs:submit`, `jobs:*`, or `*`. Rights to `agent:…` are never implied by `*`. */
  readonly rights: readonly string[];
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export interface CallIdentity {
  readonly method: string;
  /** As it was sent, with the query. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Who calls, as the bridge states it.
 * @throws {AppError} invalid-token, token-expired
 */
export type VerifyCaller = (identity: CallIdentity) => Promise<Caller>;

export interface PluginSession {
  readonly sid: string;
  readonly user: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

export interface PluginCall {
  readonly method: string;
  /** The name the plugin was called by: its own or an alias. */
  readonly mountedAs: string;
  /** Decoded, except a `:rest*`. */
  readonly params: Readonly<Record<string, string>>;
  /** Repeated and blank values are kept. */
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly caller: Caller;
  readonly requestId: string;
  /** Of routes with `:sid`. */
  readonly session: PluginSession | undefined;
  /** Ends with `body-too-large` at the limit of the route. */
  readonly body: Readable;
  /**
   * The JSON body, checked. An empty body reads as `undefined`.
   * @throws {AppError} invalid-request with JSON pointers, malformed-request, body-too-large
   */
  readJson<T>(schema: z.ZodType<T>, maxBytes?: number): Promise<T>;
  /** Aborts when the caller leaves, at the deadline, and when the agent stops. */
  readonly signal: AbortSignal;
}

export interface ServerEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data: unknown;
}

/** At most one of `json`, `bytes`, `stream`, `events` and `socket`; none: no body, and 204 unless `status` is given. */
export interface PluginReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  /** Destroyed by the agent when the caller leaves. Give `content-length` when it is known. */
  readonly stream?: Readable;
  /** Sent as server-sent events; `return()` is called when the caller leaves. */
  readonly events?: AsyncIterable<ServerEvent>;
  /** Connected with the caller's WebSocket, both ways, until either ends; destroyed then. */
  readonly socket?: Duplex;
}
