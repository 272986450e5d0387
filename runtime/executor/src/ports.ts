/** What the runtime needs from outside. */

/** Code and large parameters, addressed by the sha256 of their bytes. */
export interface PayloadSource {
  /**
   * @throws {AppError} payload-not-found when nobody has it; edge-overloaded or another retryable code when it cannot
   *   be had now
   */
  fetch(sha256: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Buffer>;
  /**
   * Whether anything can be had, before executions are taken; left out where that is never in doubt.
   * @throws {AppError} forbidden when nobody takes the credential; edge-overloaded when nobody answers now
   */
  check?(options: { timeoutMs: number; signal?: AbortSignal }): Promise<void>;
}

export interface ExecutionRecord {
  readonly flavour: string;
  readonly mode: 'sync' | 'async';
  /** `succeeded`, or why not: an execution error code, `expired` or `requeued`. */
  readonly outcome: string;
  /** Time in the executor; undefined when it did not run. */
  readonly runSeconds: number | undefined;
}

export interface RuntimeMetrics {
  executionEnded(record: ExecutionRecord): void;
  /** An executor process ended without being asked to. */
  workerRestarted(): void;
}

export const noMetrics: RuntimeMetrics = {
  executionEnded: () => undefined,
  workerRestarted: () => undefined,
};
