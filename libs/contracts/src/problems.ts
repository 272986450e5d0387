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
  'invalid-path': problem(
    400,
    'The path is not valid here',
    'Send an absolute path inside one of the roots of the node.',
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
  'path-refused': problem(
    403,
    'The path leads out of what the node shares',
    'Use a path inside one of the roots that GET /files/roots lists.',
  ),
  'file-access-denied': problem(
    403,
    'The node may not do this with the file',
    'Use a writable root, or let the operator of the node change the permissions.',
  ),
  'scaling-disabled': problem(
    403,
    'This edge frontend does not scale runtimes',
    'Set edge.maxScaledRuntimes (GANTRY_MAX_SCALED_RUNTIMES), or start runtimes by hand.',
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
  'node-not-found': problem(404, 'No such node', 'List the nodes that you may see with GET /v1/nodes.'),
  'plugin-not-found': problem(
    404,
    'No such plugin on the node',
    'See the plugins of the node; the detail says why one is not there.',
  ),
  'session-not-found': problem(404, 'No such session', 'Open one with POST register_session.'),
  'file-not-found': problem(404, 'No such file or folder', 'List the folder above it.'),
  'job-not-found': problem(404, 'No such job', 'List your jobs on the node with GET /jobs/jobs.'),
  'queue-not-found': problem(404, 'No such queue', 'List the queues of the node.'),
  'settings-not-found': problem(
    404,
    'The label has no settings',
    'List those that are with GET /v1/label-settings.',
  ),
  'upload-not-found': problem(404, 'No such upload', 'Begin the upload again.'),
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
  'scaling-in-progress': problem(
    409,
    'The flavour is being scaled already',
    'Wait for the other scaling to end, then ask again.',
  ),
  'job-finished': problem(409, 'The job has ended already', 'See its state and output.'),
  'job-not-finished': problem(409, 'The job has not ended', 'Cancel it first, or wait for its end.'),
  'job-not-waiting': problem(
    409,
    'The job does not wait any more',
    'Only jobs that have not begun can be held or released; cancel it instead.',
  ),
  'file-exists': problem(409, 'The target exists already', 'Choose another name, or ask to overwrite it.'),
  'wrong-file-type': problem(
    409,
    'The path is not of the kind that is needed',
    'Name a folder where a folder is needed and a regular file where a file is.',
  ),
  'folder-not-empty': problem(409, 'The folder is not empty', 'Delete it with recursive=true.'),
  'upload-offset-mismatch': problem(
    409,
    'The upload stands at another offset',
    'Go on from the offset in the header Upload-Offset.',
  ),
  'node-exists': problem(
    409,
    'A node has this name already',
    'Choose another name, or enrol it again with "replace" if it is yours.',
  ),
  'session-expired': problem(410, 'The session has expired', 'Open another with POST register_session.'),
  'precondition-failed': problem(
    412,
    'What is there is not what the condition names',
    'Read it again and decide anew.',
  ),
  'result-expired': problem(
    410,
    'The result was kept for its time and is gone',
    'Execute the function again.',
  ),
  'body-too-large': problem(413, 'The body is too large', 'Send less than the limit named in the detail.'),
  'range-not-satisfiable': problem(
    416,
    'The range lies outside the file',
    'See the size in the header Content-Range.',
  ),
  'invalid-request': problem(422, 'The request is not as declared', 'Correct the fields named in errors.'),
  'unsupported-language': problem(
    422,
    'The language is not supported',
    'Use one of the languages named in the detail.',
  ),
  'scheduler-refused': problem(
    422,
    'The scheduler of the node refuses the request',
    'Correct what the detail says, in the words of the scheduler.',
  ),
  'checksum-mismatch': problem(422, 'The bytes do not have the announced checksum', 'Send the file again.'),
  'archive-refused': problem(
    422,
    'The archive cannot be unpacked safely',
    'Correct what the detail names; nothing was unpacked.',
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
  'plugin-failed': problem(
    500,
    'The plugin of the node failed',
    'Report the request id to the operator of the node.',
  ),
  'not-offered': problem(
    501,
    'This is not offered here',
    'Do what the detail names instead; it is left out on purpose.',
  ),
  'node-lost': problem(
    502,
    'The connection to the node ended while it worked on the request',
    'The node may have done part of it: look before you send it again.',
  ),
  'node-failed': problem(
    502,
    'The node gave no answer that can be passed on',
    'See the detail and the log of the agent on the node.',
  ),
  'port-closed': problem(
    502,
    'Nothing answers at the port of the node',
    'Start the program that is to listen there, on 127.0.0.1.',
  ),
  'node-unreachable': later(
    503,
    'The node is not connected',
    'Start the agent on the node, or wait until it has connected again. The node has not seen the request.',
  ),
  'node-elsewhere': later(
    503,
    'The node is connected to another bridge',
    'Ask the bridge that the header Gantry-Bridge and the detail name. The node has not seen the request.',
  ),
  'node-busy': later(
    503,
    'The node has too many requests open',
    'Wait for the time in Retry-After. The node has not seen the request.',
  ),
  'no-runtime-for-flavour': later(
    503,
    'No runtime serves the flavour',
    'Start a runtime for the flavour or correct FLAVOUR in the requirement.',
  ),
  'language-unavailable': later(
    503,
    'No runtime of the flavour runs the language',
    'Install what the detail names on a machine of the flavour, or choose another flavour.',
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
  'scaling-failed': later(
    503,
    'The runtimes could not be scaled',
    'See the detail and the log of the runtime that did not start.',
  ),
  'shutting-down': later(503, 'The service is shutting down', 'Retry at another instance.'),
  'plugin-unavailable': later(503, 'The plugin cannot answer now', 'Wait for the time in Retry-After.'),
  'scheduler-unavailable': later(
    503,
    'The scheduler of the node does not answer',
    'Wait for the time in Retry-After, or ask the operator of the node.',
  ),
  'plugin-busy': later(503, 'The plugin answers too many calls already', 'Wait for the time in Retry-After.'),
  'queue-timeout': later(
    504,
    'No runtime was free in time',
    'Add runtimes for the flavour or call with mode=async.',
  ),
  'plugin-timeout': later(
    504,
    'The plugin did not answer in time',
    'Ask again later; a change that was asked for may have been made.',
  ),
  'node-timeout': later(
    504,
    'The node did not answer in time',
    'The node may still be working on it: look before you send it again.',
  ),
  'scaling-timeout': later(
    504,
    'The runtimes were not scaled in time',
    'Ask again: what was begun goes on, and a second request counts it.',
  ),
  'no-space-left': problem(507, 'The disk of the node is full', 'Delete something first.'),
} as const satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof problems;

/** Codes that stand at the start of `err` (before ": ") when a function ran, or could not be run, with HTTP 200. */
export const executionErrorCodes = [
  'function-error',
  'invalid-function',
  'invalid-parameters',
  'execution-timeout',
  'out-of-memory',
  'scratch-full',
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
  'scratch-full': 'The function wrote more into its scratch folder than that holds.',
  'result-too-large': 'The result is larger than a result may be.',
  'result-not-serializable': 'The result cannot be written in the language of the function.',
  'worker-lost': 'The runtime ended while it had the call; the function may have run in part.',
  cancelled: 'The execution was cancelled.',
  'language-unavailable': 'The runtimes of the flavour do not run the language of the function.',
  'code-unavailable': 'The runtime could not fetch the code of the function.',
};

/** The `type` URI of a problem: relative to the service, which answers it with a page (RFC 9457 section 3.1.1). */
export const problemType = (code: ProblemCode): string => `/problems/${code}`;
