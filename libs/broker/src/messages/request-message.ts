/**
 * Execution requests on their way to a runtime. Hot path: no JSON, no copy of the parameters, no schema library.
 */
import {
  type CallLimits,
  type ExecutionRequest,
  executionModes,
  languages,
  messageVersion,
} from '@gantry/contracts/execution';
import type { Delivery, HeaderValue, OutgoingMessage } from '../ports.js';
import { exchanges, requestKey } from '../topology.js';
import { type Decoded, invalid } from './decoded.js';
import { isInteger, isNumber, isOneOf, isOptional, isSha256, isString } from './header-checks.js';

/** The longest expiration RabbitMQ takes (2^32 - 1 ms). */
const maxExpirationMs = 4_294_967_295;

/**
 * @param parameters the caller's own bytes (a JSON array of base64 strings); empty with a claim check. Not copied:
 *   leave them unchanged until the publish has ended.
 */
export function encodeRequest(
  request: ExecutionRequest,
  parameters: Buffer,
  nowMs = Date.now(),
): OutgoingMessage {
  const headers: Record<string, HeaderValue> = {
    v: messageVersion,
    mode: request.mode,
    flavour: request.flavour,
    owner: request.owner,
    functionId: request.functionId,
    requirementId: request.requirementId,
    functionSha256: request.functionSha256,
    language: request.language,
    expiresAtMs: request.expiresAtMs,
    queueMs: request.queueMs,
    runMs: request.runMs,
  };
  if (request.functionOwner !== undefined) headers['functionOwner'] = request.functionOwner;
  if (request.parametersSha256 !== undefined) headers['parametersSha256'] = request.parametersSha256;
  if (request.traceparent !== undefined) headers['traceparent'] = request.traceparent;
  if (request.isFresh === true) headers['fresh'] = true;
  if (request.limits !== undefined) addLimits(headers, request.limits);
  return {
    exchange: exchanges.requests,
    routingKey: requestKey(request.flavour, request.mode),
    messageId: request.executionId,
    headers,
    content: parameters,
    persistent: request.mode === 'async',
    // Synchronous queues are short, and runtimes drop what is late: a timer for each message costs the broker more.
    ...(request.mode === 'async' ? { expirationMs: expirationOf(request, nowMs) } : {}),
  };
}

/** Most calls have none: those headers cost nothing then. */
function addLimits(headers: Record<string, HeaderValue>, limits: CallLimits): void {
  for (const name of limitNames) {
    const limit = limits[name];
    if (limit !== undefined) headers[name] = limit;
  }
}

const limitNames = ['memoryMiB', 'scratchMiB', 'resultBytes', 'logBytes'] as const;

/** Undefined when there is none; `invalid` when one is no whole number. */
function readLimits(headers: Delivery['headers']): CallLimits | undefined | 'invalid' {
  let limits: { -readonly [K in keyof CallLimits]: number } | undefined;
  for (const name of limitNames) {
    const limit = headers[name];
    if (limit === undefined) continue;
    if (!isInteger(limit)) return 'invalid';
    limits ??= {};
    limits[name] = limit;
  }
  return limits;
}

const expirationOf = (request: ExecutionRequest, nowMs: number): number =>
  Math.min(maxExpirationMs, Math.max(1, Math.ceil(request.expiresAtMs - nowMs)));

/** The request, with the caller's bytes left in `delivery.content`. */
export function decodeRequest(delivery: Pick<Delivery, 'messageId' | 'headers'>): Decoded<ExecutionRequest> {
  const { messageId, headers } = delivery;
  const { v, mode, flavour, owner, functionId, requirementId, functionSha256, language } = headers;
  const { expiresAtMs, queueMs, runMs, parametersSha256, traceparent, fresh, functionOwner } = headers;
  const limits = readLimits(headers);
  if (v !== messageVersion) return invalid(`message version ${describe(v)} is not known here`);
  if (!isString(messageId) || messageId === '') return invalid('no message id');
  if (!isOneOf(executionModes, mode)) return invalid('mode is neither sync nor async');
  if (!isString(flavour)) return invalid('flavour is not a text');
  if (!isString(owner)) return invalid('owner is not a text');
  if (!isInteger(functionId)) return invalid('functionId is not an integer');
  if (!isInteger(requirementId)) return invalid('requirementId is not an integer');
  if (!isSha256(functionSha256)) return invalid('functionSha256 is not a sha256');
  if (!isOneOf(languages, language)) return invalid('language is not known here');
  if (!isNumber(expiresAtMs)) return invalid('expiresAtMs is not a number');
  if (!isNumber(queueMs)) return invalid('queueMs is not a number');
  if (!isNumber(runMs)) return invalid('runMs is not a number');
  if (!isOptional(isString, parametersSha256)) return invalid('parametersSha256 is not a text');
  if (!isOptional(isString, traceparent)) return invalid('traceparent is not a text');
  if (!isOptional(isString, functionOwner)) return invalid('functionOwner is not a text');
  if (fresh !== undefined && fresh !== true) return invalid('fresh is not true');
  if (limits === 'invalid') return invalid('a limit is not an integer');
  return {
    kind: 'ok',
    value: {
      executionId: messageId,
      mode,
      flavour,
      owner,
      functionId,
      requirementId,
      functionSha256,
      language,
      expiresAtMs,
      queueMs,
      runMs,
      parametersSha256,
      traceparent,
      ...(functionOwner === undefined ? {} : { functionOwner }),
      ...(fresh === true ? { isFresh: true } : {}),
      ...(limits === undefined ? {} : { limits }),
    },
  };
}

/** A foreign value in a log line: its kind only when it is not a number. */
const describe = (value: unknown): string =>
  typeof value === 'number' ? String(value) : `of type ${typeof value}`;
