import { type ExecResult, type ExecutionErrorCode, emptyResultOf, type Language } from '@gantry/contracts';

/** The bytes of the answer to an execution that failed: an `err` with its code, and a `res` its client can decode. */
export function buildFailure(language: Language, code: ExecutionErrorCode | 'expired', text: string): Buffer {
  const answer: ExecResult = { ret_code: -1, res: emptyResultOf[language], err: `${code}: ${text}` };
  return Buffer.from(JSON.stringify(answer));
}
