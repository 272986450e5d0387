import { type ExecResult, execResultSchema } from '@gantry/contracts';

export interface ParsedResult {
  readonly retCode: number | undefined;
  readonly res: string | undefined;
  readonly err: string | undefined;
}

/** What a runtime's answer says, for the record; the caller gets the bytes themselves. */
export function parseResult(bytes: Buffer): ParsedResult {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    value = undefined;
  }
  const parsed = execResultSchema.safeParse(value);
  if (!parsed.success)
    return { retCode: -1, res: undefined, err: 'The runtime sent a result that cannot be read' };
  return { retCode: parsed.data.ret_code, res: parsed.data.res, err: parsed.data.err ?? undefined };
}

/** The bytes of an answer that no runtime wrote. */
export const toResultBytes = (result: ExecResult): Buffer => Buffer.from(JSON.stringify(result));
