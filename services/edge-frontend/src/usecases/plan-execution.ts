import type { ExecutionMode, ExecutionRequest, FlavourDefinition, Requirement } from '@gantry/contracts';
import type { Execution, StoredFunction } from '@gantry/store';

export interface TimeLimits {
  /** Run time when the requirement names none. */
  readonly defaultRunMs: number;
  readonly maxRunMs: number;
  readonly syncQueueMs: number;
  readonly asyncQueueMs: number;
}

export interface PlanInput {
  readonly executionId: string;
  readonly mode: ExecutionMode;
  readonly user: string;
  readonly fn: StoredFunction;
  readonly requirementId: number;
  readonly requirement: Requirement;
  /** Undefined: nothing is known of it, and the limits of this frontend hold alone. */
  readonly flavour: FlavourDefinition | undefined;
  readonly traceparent: string | undefined;
  readonly nowMs: number;
}

/** What is asked of a runtime: who, what, until when it may start, and how long it may run. */
export function planExecution(input: PlanInput, limits: TimeLimits): ExecutionRequest {
  const { flavour, fn, mode, nowMs, requirement } = input;
  const mostMs = Math.min(limits.maxRunMs, (flavour?.limits.executionSeconds ?? Infinity) * 1000);
  const queueMs = mode === 'sync' ? limits.syncQueueMs : limits.asyncQueueMs;
  return {
    executionId: input.executionId,
    mode,
    flavour: requirement.flavour,
    owner: input.user,
    functionOwner: fn.owner === input.user ? undefined : fn.owner,
    functionId: fn.id,
    requirementId: input.requirementId,
    functionSha256: fn.sha256,
    language: fn.language,
    expiresAtMs: nowMs + queueMs,
    queueMs,
    runMs: Math.min(requirement.maxRunMs ?? limits.defaultRunMs, mostMs),
    traceparent: input.traceparent,
    isFresh: requirement.isFresh,
    limits: requirement.limits,
  };
}

/** The row of an execution that waits for a runtime. */
export const toQueuedExecution = (request: ExecutionRequest, createdAtMs: number): Execution => ({
  id: request.executionId,
  owner: request.owner,
  functionOwner: request.functionOwner,
  mode: request.mode,
  status: 'queued',
  functionId: request.functionId,
  requirementId: request.requirementId,
  functionSha256: request.functionSha256,
  language: request.language,
  flavour: request.flavour,
  attempt: 0,
  retCode: undefined,
  res: undefined,
  err: undefined,
  createdAtMs,
  startedAtMs: undefined,
  finishedAtMs: undefined,
  expiresAtMs: request.expiresAtMs,
  queueMs: request.queueMs,
  runMs: request.runMs,
  runtimeId: undefined,
  progressPerMille: undefined,
  traceparent: request.traceparent,
  isFresh: request.isFresh,
  limits: request.limits,
});

/** The request of a stored execution, to publish it again. */
export const toRequest = (execution: Execution): ExecutionRequest => ({
  executionId: execution.id,
  mode: execution.mode,
  flavour: execution.flavour,
  owner: execution.owner,
  functionOwner: execution.functionOwner,
  functionId: execution.functionId,
  requirementId: execution.requirementId,
  functionSha256: execution.functionSha256,
  language: execution.language,
  expiresAtMs: execution.expiresAtMs,
  queueMs: execution.queueMs,
  runMs: execution.runMs,
  traceparent: execution.traceparent,
  isFresh: execution.isFresh,
  limits: execution.limits,
});
