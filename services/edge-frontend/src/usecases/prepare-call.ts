/**
 * The way of a call, from a known caller to an answer. Hot path: when everything is cached, nothing is waited for
 * before the publish, no body is parsed, and the publish is not waited for before the result.
 */
import { type Broker, encodeRequest } from '@gantry/broker';
import {
  type ExecutionMode,
  type ExecutionRequest,
  type FlavourDefinition,
  inlineParametersLimitBytes,
} from '@gantry/contracts';
import { asyncPrefix, type Clock, newId } from '@gantry/kernel';
import type { PayloadStore, StoredFunction } from '@gantry/store';
import type { DocumentReader, RequirementOfOwner } from '../ports.js';
import type { CodeShelf } from './code-shelf.js';
import type { DocumentCache } from './document-cache.js';
import type { FlavourWatch } from './flavour-watch.js';
import { planExecution, type TimeLimits } from './plan-execution.js';
import type { RuntimeDirectory } from './runtime-directory.js';
import { validateParameters } from './validate-parameters.js';

export interface ExecuteCommand {
  readonly functionId: number;
  readonly requirementId: number;
  readonly mode: ExecutionMode;
  readonly caller: DocumentReader;
  /** The caller's own bytes. */
  readonly parameters: Buffer;
  readonly traceparent: string | undefined;
}

export interface PlannerDeps {
  readonly functions: DocumentCache<StoredFunction>;
  readonly requirements: DocumentCache<RequirementOfOwner>;
  readonly code: CodeShelf;
  readonly flavours: FlavourWatch;
  readonly runtimes: Pick<RuntimeDirectory, 'requireLanguage'>;
  /** Of the flavours that are served. */
  readonly definitions: ReadonlyMap<string, FlavourDefinition>;
  readonly payloads: PayloadStore;
  readonly clock: Clock;
  readonly limits: TimeLimits;
  readonly frontendId: string;
}

/** A request ready to be published, and the content of its message. */
export interface PreparedCall {
  readonly request: ExecutionRequest;
  readonly content: Buffer;
}

/**
 * Everything between the token and the queue: documents, parameters, code, a live runtime.
 * @throws {AppError} invalid-request, document-not-found, no-runtime-for-flavour, language-unavailable,
 *   broker-unavailable, store-unavailable, cloud-unavailable
 */
export async function prepareCall(deps: PlannerDeps, command: ExecuteCommand): Promise<PreparedCall> {
  const { caller, functionId, mode, parameters, requirementId } = command;
  validateParameters(parameters);
  const fn = await deps.functions.find(functionId, caller);
  const { requirement } = await deps.requirements.find(requirementId, caller);
  await deps.flavours.requireRuntime(requirement.flavour, mode);
  deps.runtimes.requireLanguage(requirement.flavour, fn.language);
  await deps.code.ensure(fn, caller);
  const nowMs = deps.clock.now();
  const planned = planExecution(
    {
      executionId: `${mode === 'sync' ? deps.frontendId : asyncPrefix}.${newId()}`,
      mode,
      user: caller.principal.user,
      fn,
      requirementId,
      requirement,
      flavour: deps.definitions.get(requirement.flavour),
      traceparent: command.traceparent,
      nowMs,
    },
    deps.limits,
  );
  return claimCheck(deps.payloads, planned, parameters, nowMs);
}

/** Large parameters go through the payload store: the message names them by their hash. */
export async function claimCheck(
  payloads: PayloadStore,
  request: ExecutionRequest,
  parameters: Buffer,
  nowMs: number,
): Promise<PreparedCall> {
  if (parameters.length <= inlineParametersLimitBytes) return { request, content: parameters };
  const parametersSha256 = await payloads.put(parameters, nowMs);
  return { request: { ...request, parametersSha256 }, content: Buffer.alloc(0) };
}

/** Publishes have their own deadline, whatever the broker does. */
export const publishTimeoutMs = 2000;

export const publishCall = (broker: Broker, { request, content }: PreparedCall, nowMs: number) =>
  broker.publish(encodeRequest(request, content, nowMs), { timeoutMs: publishTimeoutMs });
