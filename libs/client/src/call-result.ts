import {
  type ExecResult,
  type ExecutionErrorCode,
  type ExecutionView,
  executionErrorCodes,
} from '@gantry/contracts';
import { GantryError, isGantryError } from './gantry-error.js';
import type { LanguageCodec } from './language-codec.js';

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

/** The result of a call, decoded. @throws {GantryError} unreadable-result when `res` is no value that `codec` reads */
export function toCallResult<T>(
  result: ExecResult,
  executionId: string | undefined,
  codec: LanguageCodec,
): CallResult<T> {
  if (result.ret_code !== 0) {
    const err = result.err ?? 'function-error';
    const code = executionErrorCodes.find((one) => err === one || err.startsWith(`${one}:`));
    return { ok: false, retCode: result.ret_code, value: undefined, err, code, executionId };
  }
  return {
    ok: true,
    retCode: 0,
    value: decodeResult(codec, result.res, executionId) as T,
    err: null,
    executionId,
  };
}

/** The value in `res`. @throws {GantryError} unreadable-result, with the id of the execution */
export function decodeResult(codec: LanguageCodec, res: string, executionId: string | undefined): unknown {
  try {
    return codec.decode(res);
  } catch (error) {
    if (!isGantryError(error, 'unreadable-result')) throw error;
    const { code, detail, cause } = error;
    throw new GantryError({ code, detail, cause, executionId });
  }
}

/** The result of an execution that has ended. */
export function toCallResultOfView<T>(view: ExecutionView, codec: LanguageCodec): CallResult<T> {
  if (view.ret_code !== null && view.res !== null)
    return toCallResult({ ret_code: view.ret_code, res: view.res, err: view.err }, view.execution_id, codec);
  const code = view.status === 'cancelled' || view.status === 'expired' ? view.status : 'dead';
  const err = view.err ?? code;
  return { ok: false, retCode: -1, value: undefined, err, code, executionId: view.execution_id };
}
