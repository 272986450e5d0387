import type { IncomingHttpHeaders } from 'node:http';

/** The slowest upload that is waited for. */
const leastBytesPerSecond = 64 * 1024;
/** For a body of unknown length; it is cut earlier when no byte moves. */
const unknownLengthMs = 6 * 3_600_000;

/** How long a node may take to begin its answer: it can only begin when it has the body that it wants. */
export function planAnswerTimeoutMs(headers: IncomingHttpHeaders, answerMs: number): number {
  if (headers['transfer-encoding'] !== undefined) return answerMs + unknownLengthMs;
  const bytes = Number(headers['content-length'] ?? 0);
  return answerMs + Math.ceil((Number.isFinite(bytes) ? bytes : 0) / leastBytesPerSecond) * 1000;
}
