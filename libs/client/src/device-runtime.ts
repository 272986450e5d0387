/**
 * The device client: a requirement at the cloud frontend, the cluster chosen for it, and functions that are called
 * there as if they were local.
 *
 * I1. Refusals for now (429, 503) and lost connections are tried again within `retryForMs`, never longer; when a
 *     cluster fails, the next one of the choice is tried, and after the last the platform is asked again.
 * I2. A call that may have reached a runtime is repeated only while `isRepeatable`.
 * I3. After `close` no call starts.
 */
import type { RequirementOnWire } from '@gantry/contracts';
import { type CallResult, toCallResult } from './call-result.js';
import { ClusterChoice } from './cluster-choice.js';
import type { EdgeClient, ExecuteInput } from './edge-client.js';
import { createExecutionHandle, type ExecutionHandle } from './execution-handle.js';
import { isStored, languageOf, type OffloadedFunction } from './function-source.js';
import { FunctionUploads } from './function-uploads.js';
import { GantryClient } from './gantry-client.js';
import { GantryError, isGantryError } from './gantry-error.js';
import { codecOf } from './language-codec.js';
import { pause, retryDelayMs } from './pause.js';
import type { PythonFunction } from './python-function.js';
import type { Credentials } from './session.js';
import type { RequestOptions } from './transport.js';

export interface DeviceRuntimeOptions {
  /** URL of the cloud frontend. */
  readonly endpoint: string;
  readonly credentials: Credentials;
  /**
   * What the device asks of its cluster, in COGNIT's words: `{ FLAVOUR: 'Nature', GEOLOCATION: '43.05,-2.53' }`.
   * What is left out takes the platform's default.
   */
  readonly requirements?: RequirementOnWire;
  /** For single requests that are no executions; 30 s unless given. */
  readonly timeoutMs?: number;
  /** How long a refused call is tried again; 10 s unless given, 0 for never. */
  readonly retryForMs?: number;
  /**
   * Whether a call whose connection broke may be sent again, although its function may have run; true unless
   * given. With false such a call throws `unreachable`.
   */
  readonly isRepeatable?: boolean;
  readonly signal?: AbortSignal;
}

/** The parameters that a call takes: those of the function, or anything for a source or an id. */
export type ParametersOf<F extends OffloadedFunction> = F extends (...parameters: infer P) => unknown
  ? P
  : F extends PythonFunction<infer P>
    ? P
    : unknown[];
/** What a call gives: the awaited result of the function, or the type that was asked for. */
export type ValueOf<F extends OffloadedFunction> = F extends (...parameters: never[]) => infer R
  ? Awaited<R>
  : F extends PythonFunction<readonly unknown[], infer R>
    ? R
    : unknown;

/**
 * Offloads functions of a device to the edge cluster that suits it.
 *
 * @example
 * const device = await DeviceRuntime.init({ endpoint, credentials: { name, password }, requirements: { FLAVOUR: 'Nature' } });
 * const result = await device.call((a: number, b: number) => a + b, 2, 3);
 * if (result.ok) use(result.value);
 */
export class DeviceRuntime {
  /** For everything beyond calls. */
  readonly client: GantryClient;
  readonly #options: DeviceRuntimeOptions;
  readonly #clusters: ClusterChoice;
  readonly #uploads: FunctionUploads;
  readonly #closing = new AbortController();
  #requirements: RequirementOnWire;
  #requirementId = 0;

  private constructor(options: DeviceRuntimeOptions) {
    this.client = new GantryClient({
      cloudUrl: options.endpoint,
      credentials: options.credentials,
      timeoutMs: options.timeoutMs,
    });
    this.#clusters = new ClusterChoice(this.client);
    this.#uploads = new FunctionUploads(this.client);
    this.#options = options;
    this.#requirements = options.requirements ?? {};
  }

  /**
   * Signs in, stores the requirements and chooses a cluster.
   * @throws {GantryError} unreachable, invalid-credentials, invalid-request, cluster-not-found
   */
  static async init(options: DeviceRuntimeOptions): Promise<DeviceRuntime> {
    const runtime = new DeviceRuntime(options);
    await runtime.#retry(options, async () => {
      if (runtime.#requirementId === 0) await runtime.#storeRequirements(options);
      await runtime.#clusters.choose(runtime.#requirementId, options);
    });
    return runtime;
  }

  /** URL of the edge frontend in use. */
  get edgeUrl(): string {
    return this.#edge().url;
  }

  /** Id of the stored requirements. */
  get requirementId(): number {
    return this.#requirementId;
  }

  /**
   * Runs a function at the edge and waits for its result. Parameters and result travel as JSON, those of a Python
   * function as pickle of plain values. A failing function is a result with `ok: false`; only troubles of the platform
   * are thrown.
   * @throws {GantryError}
   */
  call<F extends OffloadedFunction>(fn: F, ...parameters: ParametersOf<F>): Promise<CallResult<ValueOf<F>>> {
    return this.callWith({}, fn, ...parameters);
  }

  /** {@link call} with a time limit for one attempt (`timeoutMs`, 100 s unless given) and a signal. */
  async callWith<F extends OffloadedFunction>(
    options: RequestOptions,
    fn: F,
    ...parameters: ParametersOf<F>
  ): Promise<CallResult<ValueOf<F>>> {
    const result = await this.#execute(fn, parameters, options, (edge, input) =>
      edge.execute(input, options),
    );
    return toCallResult(result, result.executionId, codecOf(languageOf(fn)));
  }

  /**
   * Hands a function over and returns as soon as the platform has stored the call; it then runs at least once,
   * also if this device goes away.
   * @throws {GantryError}
   */
  callAsync<F extends OffloadedFunction>(
    fn: F,
    ...parameters: ParametersOf<F>
  ): Promise<ExecutionHandle<ValueOf<F>>> {
    return this.callAsyncWith({}, fn, ...parameters);
  }

  /** {@link callAsync} with a time limit for one attempt and a signal. */
  async callAsyncWith<F extends OffloadedFunction>(
    options: RequestOptions,
    fn: F,
    ...parameters: ParametersOf<F>
  ): Promise<ExecutionHandle<ValueOf<F>>> {
    return this.#execute(fn, parameters, options, async (edge, input) => {
      const { execution_id: id } = await edge.executeAsync(input, options);
      return createExecutionHandle<ValueOf<F>>(edge, id, codecOf(languageOf(fn)));
    });
  }

  /** Replaces the requirements and chooses a cluster anew; calls that run stay where they are. */
  async updateRequirements(requirements: RequirementOnWire, options: RequestOptions = {}): Promise<void> {
    await this.#retry(options, async () => {
      await this.client.replaceRequirement(this.#requirementId, requirements, options);
      this.#requirements = requirements;
      await this.#clusters.choose(this.#requirementId, options);
    });
  }

  /** Reports figures of the device to the cluster in use. */
  reportMetrics(metrics: Readonly<Record<string, unknown>>, options: RequestOptions = {}): Promise<void> {
    return this.#retry(options, () => this.#edge().reportMetrics(metrics, options));
  }

  /** Ends waiting retries and removes the stored requirements, as well as the platform can be reached. */
  async close(options: RequestOptions = {}): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(closedError());
    // The requirement of a device that is gone is only litter; a failure to remove it harms nobody.
    await this.client.deleteRequirement(this.#requirementId, options).catch(() => undefined);
  }

  async #execute<T>(
    fn: OffloadedFunction,
    parameters: readonly unknown[],
    options: RequestOptions,
    send: (edge: EdgeClient, input: ExecuteInput) => Promise<T>,
  ): Promise<T> {
    const codec = codecOf(languageOf(fn));
    const encoded = parameters.map((parameter) => codec.encode(parameter));
    let isRestored = false;
    return this.#retry(options, async () => {
      const sendOnce = async () => {
        const functionId = isStored(fn) ? fn.id : await this.#uploads.idOf(fn, options);
        return send(this.#edge(), { functionId, requirementId: this.#requirementId, parameters: encoded });
      };
      try {
        return await sendOnce();
      } catch (error) {
        if (isRestored || !isGantryError(error, 'document-not-found')) throw error;
        // Somebody removed the function or the requirements behind our back.
        isRestored = true;
        await this.#restore(fn, options);
        return sendOnce();
      }
    });
  }

  async #restore(fn: OffloadedFunction, options: RequestOptions): Promise<void> {
    if (!isStored(fn)) this.#uploads.forget(fn);
    try {
      await this.client.readRequirement(this.#requirementId, options);
    } catch (error) {
      if (!isGantryError(error, 'document-not-found')) throw error;
      await this.#storeRequirements(options);
    }
  }

  async #storeRequirements(options: RequestOptions): Promise<void> {
    this.#requirementId = await this.client.createRequirement(this.#requirements, options);
  }

  #edge(): EdgeClient {
    const edge = this.#clusters.current;
    if (edge === undefined)
      throw new GantryError({ code: 'cluster-not-found', detail: 'No edge cluster was chosen' });
    return edge;
  }

  /** I1 */
  async #retry<T>(options: RequestOptions, work: () => Promise<T>): Promise<T> {
    const deadlineMs = performance.now() + (this.#options.retryForMs ?? 10_000);
    for (let attempt = 0; ; attempt += 1) {
      // I3
      this.#closing.signal.throwIfAborted();
      options.signal?.throwIfAborted();
      const edge = this.#clusters.current;
      try {
        return await work();
      } catch (error) {
        if (!isGantryError(error) || !this.#mayRepeat(error)) throw error;
        const failed = edge !== undefined && error.url?.startsWith(edge.url) === true ? edge : undefined;
        const isOther = failed !== undefined && this.#clusters.size > 1 && this.#clusters.moveOn(failed);
        const delayMs = isOther ? 0 : retryDelayMs(attempt, error.retryAfterMs);
        if (performance.now() + delayMs > deadlineMs) throw error;
        await this.#pause(delayMs, options.signal);
        if (!isOther && failed !== undefined) await this.#chooseAgain(options);
      }
    }
  }

  /** I2 */
  #mayRepeat(error: GantryError): boolean {
    if (error.isRetryable) return true;
    return error.code === 'unreachable' && (error.isUnsent || (this.#options.isRepeatable ?? true));
  }

  /** After the last cluster failed. With the cloud away too, the known ones are tried again from the first. */
  async #chooseAgain(options: RequestOptions): Promise<void> {
    try {
      await this.#clusters.choose(this.#requirementId, options);
    } catch (error) {
      if (!isGantryError(error)) throw error;
      this.#clusters.restart();
    }
  }

  async #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const stop = new AbortController();
    const closing = this.#closing.signal;
    const onStop = () => stop.abort(closing.aborted ? closing.reason : signal?.reason);
    closing.addEventListener('abort', onStop);
    signal?.addEventListener('abort', onStop);
    try {
      await pause(ms, stop.signal);
    } finally {
      closing.removeEventListener('abort', onStop);
      signal?.removeEventListener('abort', onStop);
    }
  }
}

const closedError = () => new GantryError({ code: 'closed', detail: 'The device runtime was closed' });
