import {
  type Accepted,
  type ExecResult,
  type ExecutionStatus,
  type ExecutionView,
  edgeApi,
  type FlavourView,
  type Scaled,
} from '@gantry/contracts';
import { GantryError } from './gantry-error.js';
import { Paged } from './paged.js';
import type { Session } from './session.js';
import { type RequestOptions, type RouteInput, readJson, readText } from './transport.js';

/** Longest queue time and run time that the platform grants by default, and the way there and back. */
const executeTimeoutMs = 100_000;
/** Longest time that an edge frontend takes for a scaling, and the way there and back. */
const scaleTimeoutMs = 250_000;

export interface ExecuteInput {
  readonly functionId: number;
  readonly requirementId: number;
  /** One base64 string a parameter, in the encoding of the function's language. */
  readonly parameters: readonly string[];
}

export interface SyncResult extends ExecResult {
  /** Undefined when a proxy between removed the header. */
  readonly executionId: string | undefined;
}

export interface ExecutionFilter {
  readonly status?: ExecutionStatus;
  readonly functionId?: number;
  readonly flavour?: string;
  /** RFC 3339, inclusive. */
  readonly from?: string;
  readonly to?: string;
  /** Items a page. */
  readonly limit?: number;
}

/** The routes of one edge frontend. Made by `GantryClient.edge(url)`. */
export class EdgeClient {
  readonly url: string;
  readonly #session: Session;

  constructor(url: string, session: Session) {
    this.url = url;
    this.#session = session;
  }

  /**
   * Executes and waits for the result, 100 s unless `timeoutMs` says otherwise. A failing function is a result
   * (`ret_code` -1), not an error.
   * @throws {GantryError} document-not-found, no-runtime-for-flavour, queue-full, queue-timeout, too-many-concurrent …
   */
  execute(input: ExecuteInput, options: RequestOptions = {}): Promise<SyncResult> {
    const read = async (response: Response): Promise<SyncResult> => {
      const body = await readJson(response);
      if (!isExecResult(body))
        throw new GantryError({
          code: 'unexpected-answer',
          status: response.status,
          detail: `${this.url} answered ${response.status} to an execution without a result`,
        });
      return { ...body, executionId: response.headers.get('x-execution-id') ?? undefined };
    };
    const timeoutMs = options.timeoutMs ?? executeTimeoutMs;
    return this.#session.send(
      this.url,
      edgeApi.executeFunction,
      toExecute(input, 'sync'),
      { ...options, timeoutMs },
      read,
    );
  }

  /** Hands an execution over and answers its id; it is durable from then on. @throws {GantryError} as {@link execute} */
  executeAsync(input: ExecuteInput, options: RequestOptions = {}): Promise<Accepted> {
    return this.#session.send(
      this.url,
      edgeApi.executeFunction,
      toExecute(input, 'async'),
      options,
      readJson,
    ) as Promise<Accepted>;
  }

  /**
   * Reads an execution; with `waitSeconds` (60 at most) as soon as it ends, or after that time as it is then.
   * @throws {GantryError} execution-not-found, result-expired
   */
  readExecution(
    executionId: string,
    { waitSeconds, ...options }: RequestOptions & { readonly waitSeconds?: number } = {},
  ): Promise<ExecutionView> {
    const timeoutMs = options.timeoutMs ?? (waitSeconds ?? 0) * 1000 + this.#session.timeoutMs;
    return this.#session.request(
      this.url,
      edgeApi.readExecution,
      { params: { id: executionId }, query: { wait: waitSeconds } },
      { ...options, timeoutMs },
    );
  }

  /** Own executions, newest first, without their results. */
  listExecutions(filter: ExecutionFilter = {}, options: RequestOptions = {}): Paged<ExecutionView> {
    const { functionId, ...rest } = filter;
    return new Paged((cursor) =>
      this.#session.request(
        this.url,
        edgeApi.listExecutions,
        { query: { ...rest, function_id: functionId, cursor } },
        options,
      ),
    );
  }

  /** Cancels an execution, queued or running. @throws {GantryError} execution-not-found, execution-finished */
  cancelExecution(executionId: string, options: RequestOptions = {}): Promise<Accepted> {
    return this.#session.request(this.url, edgeApi.cancelExecution, { params: { id: executionId } }, options);
  }

  /** What the function wrote, 64 KiB at most. @throws {GantryError} execution-not-found, result-expired */
  readLogs(executionId: string, options: RequestOptions = {}): Promise<string> {
    const input = { params: { id: executionId } };
    return this.#session.send(this.url, edgeApi.readExecutionLogs, input, options, readText);
  }

  /** Flavours of the cluster: what they offer, what they allow, and how they are doing. */
  listFlavours(options: RequestOptions = {}): Promise<FlavourView[]> {
    return this.#session.request(this.url, edgeApi.listFlavours, {}, options);
  }

  /**
   * Starts or drains runtimes of a flavour until there are `count` (administrators). Waits for as long as the edge
   * frontend takes, four minutes at most.
   * @throws {GantryError} scaling-disabled, scaling-in-progress, scaling-failed, scaling-timeout, invalid-request
   */
  scaleRuntimes(
    { count, flavour }: { readonly count: number; readonly flavour?: string },
    options: RequestOptions = {},
  ): Promise<Scaled> {
    const query = { target_cardinality: count, flavour };
    const timeoutMs = options.timeoutMs ?? scaleTimeoutMs;
    return this.#session.request(this.url, edgeApi.scaleRuntimes, { query }, { ...options, timeoutMs });
  }

  /** Reports figures of the device; its numbers become metrics of the cluster. */
  async reportMetrics(
    metrics: Readonly<Record<string, unknown>>,
    options: RequestOptions = {},
  ): Promise<void> {
    await this.#session.request(this.url, edgeApi.reportDeviceMetrics, { body: metrics }, options);
  }
}

const toExecute = (input: ExecuteInput, mode: 'sync' | 'async'): RouteInput => ({
  params: { id: input.functionId },
  query: { app_req_id: input.requirementId, mode },
  body: input.parameters,
});

const isExecResult = (value: unknown): value is ExecResult =>
  typeof value === 'object' && value !== null && 'ret_code' in value && 'res' in value && 'err' in value;
