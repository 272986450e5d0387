import { randomBytes } from 'node:crypto';

const pattern = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * The caller's trace context with a span of our own, or undefined when the header is absent or malformed.
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function childTraceparent(header: string | undefined): string | undefined {
  if (header === undefined || !pattern.test(header)) return undefined;
  return `${header.slice(0, 36)}${randomBytes(8).toString('hex')}${header.slice(52)}`;
}
