/** What `Prefer` asks of an execution (RFC 7240); unknown preferences are ignored. */
export interface ExecutionPreference {
  readonly isAsync: boolean;
  /** Seconds to wait for the end of what started as asynchronous. */
  readonly waitSeconds: number | undefined;
  /** For the header Preference-Applied. */
  readonly applied: string;
}

/** The longest wait that is granted. */
const maxWaitSeconds = 60;

/** Undefined when the header asks for nothing that is known here. */
export function parsePrefer(header: string | string[] | undefined): ExecutionPreference | undefined {
  if (header === undefined) return undefined;
  const preferences = (Array.isArray(header) ? header.join(',') : header)
    .toLowerCase()
    .split(',')
    .map((preference) => preference.split(';')[0]?.trim() ?? '');
  const isAsync = preferences.includes('respond-async');
  const wait = preferences
    .map((preference) => /^wait *= *"?(\d{1,9})"?$/.exec(preference)?.[1])
    .find(Boolean);
  const waitSeconds = wait === undefined ? undefined : Math.min(Number(wait), maxWaitSeconds);
  if (!isAsync && waitSeconds === undefined) return undefined;
  const applied = [
    ...(isAsync ? ['respond-async'] : []),
    ...(waitSeconds === undefined ? [] : [`wait=${waitSeconds}`]),
  ];
  return { isAsync, waitSeconds, applied: applied.join(', ') };
}
