import type { FinishedMessage } from '@gantry/broker';
import type { ExecutionErrorCode, ExecutionRequest } from '@gantry/contracts/execution';
import { buildFailure } from './answers.js';

/** What an execution came to, as it is reported. */
export interface Ending {
  readonly status: FinishedMessage['status'];
  readonly code?: ExecutionErrorCode;
  readonly result: Buffer;
  readonly log: Buffer;
  readonly startedAtMs?: number;
  readonly runMs?: number;
}

/** Asynchronous work that has to be tried again, by whichever runtime gets it. */
export class RequeueError extends Error {}

const noLog = Buffer.alloc(0);

export function failed(request: ExecutionRequest, code: ExecutionErrorCode, text: string): Ending {
  const status = code === 'cancelled' ? 'cancelled' : 'failed';
  return { status, code, result: buildFailure(request.language, code, text), log: noLog };
}

export function expired(request: ExecutionRequest): Ending {
  const text = 'it waited longer than allowed and was not started';
  return { status: 'expired', result: buildFailure(request.language, 'expired', text), log: noLog };
}
