import { type ExecResult, execResultSchema, type TerminalStatus } from '@gantry/contracts';

export interface ParsedResult {
  /** As the runtime said; never a success with a result that cannot be read. */
  readonly status: TerminalStatus;
  readonly retCode: number | undefined;
  readonly res: string | undefined;
  readonly err: string | undefined;
}

/** What a runtime's answer says, for the record; the caller gets the bytes themselves. */
export function parseResult({ result, status }: { result: Buffer; status: TerminalStatus }): ParsedResult {
  let value: unknown;
  try {
    value = JSON.parse(result.toString('utf8'));
  } catch {
    value = undefined;
  }
  const parsed = execResultSchema.safeParse(value);
  if (!parsed.success) {
    const err = 'The runtime sent a result that cannot be read';
    return { status: status === 'succeeded' ? 'failed' : status, retCode: -1, res: undefined, err };
  }
  const { ret_code: retCode, res, err } = parsed.data;
  return { status, retCode, res, err: err ?? undefined };
}

/** The bytes of an answer that no runtime wrote. */
export const toResultBytes = (result: ExecResult): Buffer => Buffer.from(JSON.stringify(result));
