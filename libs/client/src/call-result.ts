import {
  type ExecResult,
  type ExecutionErrorCode,
  type ExecutionView,
  executionErrorCodes,
} from '@gantry/contracts';
import { decodeJson } from './base64.js';
import { GantryError } from './gantry-error.js';

/** Why there is no value: what happened to the function, or how its execution ended without running to its end. */
export type CallErrorCode = ExecutionErrorCode | 'expired' | 'dead';

/** What came of a call. A failing function is a result, not an exception. */
export type CallResult<T> =
  | {
      readonly ok: true;
      readonly retCode: 0;
      readonly value: T;
      readonly err: null;
      readonly executionId: string | undefined;
    }
  | {
      readonly ok: false;
      readonly retCode: number;
      readonly value: undefined;
      readonly err: string;
      /** The code at the start of `err`; undefined for one that this version does not know. */
      readonly code: CallErrorCode | undefined;
      readonly executionId: string | undefined;
    };

/** The result of a JavaScript function, decoded. @throws {GantryError} unexpected-answer when `res` is not JSON */
export function toCallResult<T>(result: ExecResult, executionId: string | undefined): CallResult<T> {
  if (result.ret_code !== 0) {
    const err = result.err ?? 'function-error';
    const code = executionErrorCodes.find((one) => err === one || err.startsWith(`${one}:`));
    return { ok: false, retCode: result.ret_code, value: undefined, err, code, executionId };
  }
  try {
    return { ok: true, retCode: 0, value: decodeJson(result.res) as T, err: null, executionId };
  } catch (cause) {
    throw new GantryError({
      code: 'unexpected-answer',
      detail: 'The result is not JSON; call functions of other languages through EdgeClient.execute',
      cause,
    });
  }
}

/** The result of an execution that has ended. */
export function toCallResultOfView<T>(view: ExecutionView): CallResult<T> {
  if (view.ret_code !== null && view.res !== null)
    return toCallResult({ ret_code: view.ret_code, res: view.res, err: view.err }, view.execution_id);
  const code = view.status === 'cancelled' || view.status === 'expired' ? view.status : 'dead';
  const err = view.err ?? code;
  return { ok: false, retCode: -1, value: undefined, err, code, executionId: view.execution_id };
}
