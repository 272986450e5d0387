import {
  type ExecResult,
  type ExecutionErrorCode,
  emptyResultOf,
  type Language,
} from '@gantry/contracts/execution';

/** The C client reads an answer into a buffer of 29 999 bytes; JSON writes a character with up to six. */
const maxTextCharsForC = 4000;

/** The bytes of the answer to an execution that failed: an `err` with its code, and a `res` its client can decode. */
export function buildFailure(language: Language, code: ExecutionErrorCode | 'expired', text: string): Buffer {
  const err = `${code}: ${language === 'C' ? text.slice(0, maxTextCharsForC) : text}`;
  const answer: ExecResult = { ret_code: -1, res: emptyResultOf[language], err };
  return Buffer.from(JSON.stringify(answer));
}
