import type { AnswerHeaders } from '@gantry/tunnel';

/**
 * What a page of a node could do to the origin of the bridge, and to other nodes behind it. A plugin answers data; what
 * it says about the browser, about other origins and about sign-ins is not passed on.
 */
const refused: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'alt-svc',
  'clear-site-data',
  'content-location',
  'content-security-policy-report-only',
  'expect-ct',
  'link',
  'location',
  'nel',
  'origin-agent-cluster',
  'permissions-policy',
  'public-key-pins',
  'refresh',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'set-cookie',
  'set-cookie2',
  'sourcemap',
  'speculation-rules',
  'strict-transport-security',
  'www-authenticate',
  'x-powered-by',
]);

const policy: AnswerHeaders = {
  // Also when somebody opens the answer in a browser: no script, no form, an origin of its own.
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** The fields of a plugin's answer as they go to the caller. */
export function applyAnswerPolicy(headers: AnswerHeaders, requestId: string): AnswerHeaders {
  const kept = Object.entries(headers).filter(([name]) => !refused.has(name));
  return {
    'cache-control': 'no-store',
    ...Object.fromEntries(kept),
    ...policy,
    'x-request-id': requestId,
  };
}
