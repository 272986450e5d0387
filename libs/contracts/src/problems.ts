/**
 * The problem table: every error a caller can meet, in one place. The code is the stable name; the `type`
 * of an RFC 9457 body is {@link problemType} of it and has a section in docs/problems.md (a test keeps both equal).
 */
interface Problem {
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean;
  /** What to do about it, one sentence. */
  readonly remedy: string;
}

const problem = (status: number, title: string, remedy: string, retryable = false): Problem => ({
  status,
  title,
  retryable,
  remedy,
});
const later = (status: number, title: string, remedy: string) => problem(status, title, remedy, true);

export const problems = {
  'missing-token': problem(
    400,
    'Missing token in header',
    'Send the token in the header "token" or as "Authorization: Bearer".',
  ),
  'malformed-request': problem(
    400,
    'The request cannot be parsed',
    'Check the HTTP framing and the encoding of the URL.',
  ),
  'not-authenticated': problem(401, 'Not authenticated', 'Send HTTP Basic credentials.'),
  'invalid-credentials': problem(
    401,
    'Wrong user name or password',
    'Check the account name and its password.',
  ),
  'invalid-token': problem(401, 'The token is not valid', 'Sign in again with POST /v1/authenticate.'),
  'token-expired': problem(401, 'The token has expired', 'Sign in again with POST /v1/authenticate.'),
  'token-revoked': problem(401, 'The token has been revoked', 'Sign in again with POST /v1/authenticate.'),
  'token-too-complex': problem(
    401,
    'The token is too large or too complex',
    'Attenuate with fewer blocks and simple checks only.',
  ),
  'invalid-service-credential': problem(
    401,
    'The service credential is not valid',
    'Give the service the credential file of this cluster.',
  ),
  forbidden: problem(403, 'Not allowed', 'Ask an administrator for the right.'),
  'quota-exceeded': problem(
    403,
    'The quota of the account is used up',
    'Delete functions or ask an administrator for a larger quota.',
  ),
  'route-not-found': problem(404, 'No such route', 'See /docs for the routes of this service.'),
  'document-not-found': problem(
    404,
    'No such document',
    'Check the id and that the document belongs to the signed-in account.',
  ),
  'execution-not-found': problem(
    404,
    'No such execution',
    'Check the id and that the execution belongs to the signed-in account.',
  ),
  'account-not-found': problem(404, 'No such account', 'List accounts with GET /v1/accounts.'),
  'cluster-not-found': problem(
    404,
    'No clusters available matching the requirements',
    'Relax the requirements or start an edge cluster that meets them.',
  ),
  'payload-not-found': problem(
    404,
    'No such payload',
    'The payload was removed; submit the execution again.',
  ),
  'wrong-document-type': problem(405, 'The document is of another type', 'Use the route of its own type.'),
  'method-not-allowed': problem(
    405,
    'Method not allowed',
    'Use one of the methods named in the header Allow.',
  ),
  'execution-finished': problem(409, 'The execution has already finished', 'Read its result instead.'),
  'account-exists': problem(409, 'The account exists already', 'Choose another name.'),
  'last-administrator': problem(
    409,
    'The last administrator cannot be removed',
    'Make another account an administrator first.',
  ),
  'result-expired': problem(
    410,
    'The result was kept for its time and is gone',
    'Execute the function again.',
  ),
  'body-too-large': problem(413, 'The body is too large', 'Send less than the limit named in the detail.'),
  'invalid-request': problem(422, 'The request is not as declared', 'Correct the fields named in errors.'),
  'unsupported-language': problem(
    422,
    'The language is not supported',
    'Use one of the languages named in the detail.',
  ),
  'too-many-sign-ins': later(429, 'Too many failed sign-ins', 'Wait for the time in Retry-After.'),
  'too-many-requests': later(429, 'Too many requests', 'Wait for the time in Retry-After.'),
  'too-many-concurrent': later(
    429,
    'Too many calls of this account at once',
    'Wait for running calls to finish.',
  ),
  'header-too-large': problem(431, 'The request headers are too large', 'Send less than 32 KiB of headers.'),
  'internal-error': problem(500, 'Internal error', 'Report the request id to the operator.'),
  'no-runtime-for-flavour': later(
    503,
    'No runtime serves the flavour',
    'Start a runtime for the flavour or correct FLAVOUR in the requirement.',
  ),
  'queue-full': later(503, 'The queue of the flavour is full', 'Wait for the time in Retry-After.'),
  'broker-unavailable': later(
    503,
    'The message broker does not accept messages',
    'Wait for the time in Retry-After.',
  ),
  'store-unavailable': later(503, 'The store does not answer', 'Wait for the time in Retry-After.'),
  'cloud-unavailable': later(503, 'The cloud frontend does not answer', 'Wait for the time in Retry-After.'),
  'edge-overloaded': later(503, 'Too many calls are in flight', 'Wait for the time in Retry-After.'),
  'verifier-busy': later(503, 'Tokens cannot be verified right now', 'Wait for the time in Retry-After.'),
  'shutting-down': later(503, 'The service is shutting down', 'Retry at another instance.'),
  'queue-timeout': later(
    504,
    'No runtime was free in time',
    'Add runtimes for the flavour or call with mode=async.',
  ),
} as const satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof problems;

/** Codes that stand at the start of `err` (before ": ") when a function ran, or could not be run, with HTTP 200. */
export const executionErrorCodes = [
  'function-error',
  'invalid-function',
  'invalid-parameters',
  'execution-timeout',
  'out-of-memory',
  'result-too-large',
  'result-not-serializable',
  'worker-lost',
  'cancelled',
  'language-unavailable',
  'code-unavailable',
] as const;
export type ExecutionErrorCode = (typeof executionErrorCodes)[number];

/** What each of them means to the caller, one sentence. */
export const executionErrors: Readonly<Record<ExecutionErrorCode, string>> = {
  'function-error': 'The function threw an error or rejected; its text follows.',
  'invalid-function':
    'The function cannot be loaded: a syntax error, a refused import, or no function to call.',
  'invalid-parameters': 'A parameter cannot be decoded in the language of the function.',
  'execution-timeout': 'The function ran longer than its limit and was stopped.',
  'out-of-memory': 'The function used more memory than its runtime allows and was stopped.',
  'result-too-large': 'The result is larger than a result may be.',
  'result-not-serializable': 'The result cannot be written in the language of the function.',
  'worker-lost': 'The runtime ended while it had the call; the function may have run in part.',
  cancelled: 'The execution was cancelled.',
  'language-unavailable': 'The runtimes of the flavour do not run the language of the function.',
  'code-unavailable': 'The runtime could not fetch the code of the function.',
};

/** The `type` URI of a problem: relative to the service, which answers it with a page (RFC 9457 section 3.1.1). */
export const problemType = (code: ProblemCode): string => `/problems/${code}`;
