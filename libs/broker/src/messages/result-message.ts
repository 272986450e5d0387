/**
 * What runtimes report about an execution. The body of `finished` is the JSON bytes of the caller's answer followed
 * by the log; `resultSizeBytes` says where one ends. Hot path: neither side copies or parses the answer.
 */
import { messageVersion } from '@gantry/contracts/execution';
import { asyncPrefix } from '@gantry/kernel';
import type { Delivery, HeaderValue, OutgoingMessage } from '../ports.js';
import { exchanges } from '../topology.js';
import { type Decoded, invalid } from './decoded.js';
import { isInteger, isNumber, isOneOf, isOptional, isString } from './header-checks.js';

const kinds = ['started', 'progress', 'finished'] as const;
export const finishedStatuses = ['succeeded', 'failed', 'cancelled', 'expired'] as const;

interface FromRun {
  readonly executionId: string;
  /** Which start of the execution reports; 1 for sync. */
  readonly attempt: number;
  readonly runtimeId: string;
}

export interface StartedMessage extends FromRun {
  readonly kind: 'started';
  readonly startedAtMs: number | undefined;
}

export interface ProgressMessage extends FromRun {
  readonly kind: 'progress';
  readonly progressPerMille: number;
}

export interface FinishedMessage extends FromRun {
  readonly kind: 'finished';
  readonly status: (typeof finishedStatuses)[number];
  /** Why it failed: one of `executionErrorCodes`. */
  readonly code?: string | undefined;
  readonly startedAtMs?: number | undefined;
  readonly finishedAtMs?: number | undefined;
  /** The JSON bytes `{"ret_code":…,"res":…,"err":…}`, to be answered as they are. */
  readonly result: Buffer;
  /** What the function printed, UTF-8. */
  readonly log: Buffer;
}

export type ResultMessage = StartedMessage | ProgressMessage | FinishedMessage;

const noBytes = Buffer.alloc(0);

export function encodeResult(message: ResultMessage): OutgoingMessage {
  const headers: Record<string, HeaderValue> = {
    v: messageVersion,
    kind: message.kind,
    attempt: message.attempt,
    runtimeId: message.runtimeId,
  };
  let content: Buffer = noBytes;
  if (message.kind === 'progress') {
    headers['progressPerMille'] = message.progressPerMille;
  } else {
    if (message.startedAtMs !== undefined) headers['startedAtMs'] = message.startedAtMs;
    if (message.kind === 'finished') {
      headers['status'] = message.status;
      headers['resultSizeBytes'] = message.result.length;
      if (message.code !== undefined) headers['code'] = message.code;
      if (message.finishedAtMs !== undefined) headers['finishedAtMs'] = message.finishedAtMs;
      content = message.log.length === 0 ? message.result : Buffer.concat([message.result, message.log]);
    }
  }
  return {
    exchange: exchanges.results,
    routingKey: message.executionId,
    messageId: message.executionId,
    headers,
    content,
    // Only an end is worth a write to disk; a lost `started` or `progress` is made good by what follows.
    persistent: message.kind === 'finished' && message.executionId.startsWith(`${asyncPrefix}.`),
  };
}

/** `result` and `log` are views into `delivery.content`. */
export function decodeResult(
  delivery: Pick<Delivery, 'messageId' | 'headers' | 'content'>,
): Decoded<ResultMessage> {
  const { messageId: executionId, headers, content } = delivery;
  const { v, kind, attempt, runtimeId, startedAtMs, progressPerMille } = headers;
  const { status, code, finishedAtMs, resultSizeBytes } = headers;
  if (v !== messageVersion) return invalid('the message version is not known here');
  if (!isString(executionId) || executionId === '') return invalid('no message id');
  if (!isOneOf(kinds, kind)) return invalid('kind is not known here');
  if (!isInteger(attempt)) return invalid('attempt is not an integer');
  if (!isString(runtimeId)) return invalid('runtimeId is not a text');
  if (!isOptional(isStatus, status)) return invalid('status is not an end');
  if (!isOptional(isString, code)) return invalid('code is not a text');
  if (!isOptional(isNumber, startedAtMs)) return invalid('startedAtMs is not a number');
  if (!isOptional(isNumber, finishedAtMs)) return invalid('finishedAtMs is not a number');
  if (!isOptional(isInteger, resultSizeBytes)) return invalid('resultSizeBytes is not an integer');
  if (!isOptional(isInteger, progressPerMille)) return invalid('progressPerMille is not an integer');
  const run = { executionId, attempt, runtimeId };
  if (kind === 'started') return { kind: 'ok', value: { kind, ...run, startedAtMs } };
  if (kind === 'progress') {
    if (progressPerMille === undefined) return invalid('progress without progressPerMille');
    return { kind: 'ok', value: { kind, ...run, progressPerMille } };
  }
  if (status === undefined || resultSizeBytes === undefined)
    return invalid('finished without status or size');
  if (resultSizeBytes < 0 || resultSizeBytes > content.length) {
    return invalid('resultSizeBytes is outside the message');
  }
  const result = content.subarray(0, resultSizeBytes);
  const log = content.subarray(resultSizeBytes);
  return { kind: 'ok', value: { kind, ...run, status, code, startedAtMs, finishedAtMs, result, log } };
}

const isStatus = (value: unknown): value is FinishedMessage['status'] => isOneOf(finishedStatuses, value);
