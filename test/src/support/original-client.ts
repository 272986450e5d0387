/**
 * The requests of the clients that exist, byte for byte as far as a server can tell: which headers there are, which are
 * missing, and how bodies are spelled. What they cannot take in an answer is an error here too.
 */
import { createHash } from 'node:crypto';
import { request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** What both clients read of an execution; all three keys have to be there. */
export interface ExecResponse {
  readonly ret_code: number;
  readonly res: string;
  readonly err: unknown;
}

export interface Account {
  readonly cloudUrl: string;
  readonly user: string;
  readonly password: string;
}

/** Sends only the headers given (and those HTTP itself needs). */
function send(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<Answer> {
  const hasBody = method === 'POST' || method === 'PUT';
  const length = hasBody ? { 'content-length': String(Buffer.byteLength(body)) } : {};
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { ...headers, ...length }, timeout: 60_000 }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${url}`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

const basic = ({ user, password }: Account): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** An object or a list with the blanks that Python's `json.dumps` puts into it. */
function dumps(value: Readonly<Record<string, unknown>> | readonly string[]): string {
  if (Array.isArray(value)) return `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
  const pairs = Object.entries(value).map(([key, item]) => `"${key}": ${JSON.stringify(item)}`);
  return `{${pairs.join(', ')}}`;
}

function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status !== status) throw new Error(`${answer.status}: ${answer.body}`);
  return answer;
}

function readId(answer: Answer): number {
  const id = Number.parseInt(expectStatus(answer, 200).body, 10); // as atoi
  if (!(id > 0)) throw new Error(`an id of ${answer.body}`);
  return id;
}

function readEdgeUrl(answer: Answer): string {
  const [cluster] = JSON.parse(expectStatus(answer, 200).body) as {
    ID: unknown;
    NAME: unknown;
    TEMPLATE: { EDGE_CLUSTER_FRONTEND: unknown };
  }[];
  const url = cluster?.TEMPLATE.EDGE_CLUSTER_FRONTEND;
  if (typeof cluster?.ID !== 'number' || typeof cluster.NAME !== 'string' || typeof url !== 'string')
    throw new Error(`a cluster of ${answer.body}`);
  return url;
}

/** The Python client: JSON as plain text, never a Content-Type. */
export class OriginalPythonClient {
  readonly #account: Account;
  readonly #headers: Readonly<Record<string, string>>;
  readonly edgeUrl: string;
  readonly requirementId: number;

  private constructor(account: Account, token: string, requirementId: number, edgeUrl: string) {
    this.#account = account;
    this.#headers = { token };
    this.requirementId = requirementId;
    this.edgeUrl = edgeUrl;
  }

  static async start(account: Account, requirement: Readonly<Record<string, unknown>> = {}) {
    const { cloudUrl } = account;
    const signedIn = await send('POST', `${cloudUrl}/v1/authenticate`, { authorization: basic(account) });
    const token = JSON.parse(expectStatus(signedIn, 201).body) as string;
    const wanted = { FLAVOUR: 'Nature', MAX_FUNCTION_EXECUTION_TIME: 15, ...requirement };
    const id = readId(await send('POST', `${cloudUrl}/v1/app_requirements`, { token }, dumps(wanted)));
    const edgeUrl = readEdgeUrl(await send('GET', `${cloudUrl}/v1/app_requirements/${id}/ec_fe`, { token }));
    return new OriginalPythonClient(account, token, id, edgeUrl);
  }

  async upload(fc: string, fcHash: string): Promise<number> {
    const body = dumps({ LANG: 'PY', FC: fc, FC_HASH: fcHash });
    return readId(await send('POST', `${this.#account.cloudUrl}/v1/daas/upload`, this.#headers, body));
  }

  /** The raw answer; the client takes anything but 2xx for a lost connection. */
  execute(functionId: number, params: readonly string[]): Promise<Answer> {
    const path = `/v1/functions/${functionId}/execute?app_req_id=${this.requirementId}&mode=sync`;
    return send('POST', `${this.edgeUrl}${path}`, this.#headers, dumps(params));
  }

  /** A call as the client sees it; `res` is decoded whatever `ret_code` says. */
  async call(functionId: number, params: readonly string[]): Promise<ExecResponse> {
    return JSON.parse(expectStatus(await this.execute(functionId, params), 200).body) as ExecResponse;
  }
}

/** Sizes of the C client's buffers. */
const cBuffers = {
  tokenHeader: 512,
  answer: 29_999,
  request: 16 * 1024,
  url: 1023,
  clusterName: 49,
  result: 8192,
};

/** The C client: a Content-Type even without a body, fixed buffers, and the function uploaded for every call. */
export class OriginalCClient {
  readonly #account: Account;
  readonly #headers: Readonly<Record<string, string>>;
  readonly edgeUrl: string;
  readonly requirementId: number;

  private constructor(account: Account, token: string, requirementId: number, edgeUrl: string) {
    this.#account = account;
    this.#headers = { ...OriginalCClient.#plain, token };
    this.requirementId = requirementId;
    this.edgeUrl = edgeUrl;
  }

  static readonly #plain = { accept: 'application/json', 'content-type': 'application/json' };

  static async start(account: Account, requirement: Readonly<Record<string, unknown>> = {}) {
    const headers = OriginalCClient.#plain;
    const { cloudUrl } = account;
    const answer = await cSend('POST', `${cloudUrl}/v1/authenticate`, {
      ...headers,
      authorization: basic(account),
    });
    // The first and the last byte are cut off when they are quotes, and nothing else.
    const token = expectStatus(answer, 201).body.replace(/^"/, '').replace(/"$/, '');
    if (`token: ${token}`.length + 1 > cBuffers.tokenHeader)
      throw new Error('the token overflows its buffer');
    const wanted = { FLAVOUR: 'Nature', MAX_FUNCTION_EXECUTION_TIME: 15, ...requirement };
    const withToken = { ...headers, token };
    const id = readId(
      await cSend('POST', `${cloudUrl}/v1/app_requirements`, withToken, JSON.stringify(wanted)),
    );
    const clusters = await cSend('GET', `${cloudUrl}/v1/app_requirements/${id}/ec_fe`, withToken);
    const [{ NAME }] = JSON.parse(clusters.body) as [{ NAME: string }];
    if (NAME.length > cBuffers.clusterName) throw new Error('the name overflows its buffer');
    return new OriginalCClient(account, token, id, readEdgeUrl(clusters));
  }

  async upload(fc: string, source: string): Promise<number> {
    const hex = Buffer.from(source).toString('hex');
    const fcHash = createHash('sha256').update(hex).digest('hex');
    const body = JSON.stringify({ LANG: 'C', FC: fc, FC_HASH: fcHash });
    return readId(await cSend('POST', `${this.#account.cloudUrl}/v1/daas/upload`, this.#headers, body));
  }

  /** Uploads and executes, as every call of the client does. */
  async call(fc: string, source: string, params: readonly string[]): Promise<ExecResponse> {
    const functionId = await this.upload(fc, source);
    const path = `/v1/functions/${functionId}/execute?app_req_id=${this.requirementId}&mode=sync`;
    const answer = await cSend('POST', `${this.edgeUrl}${path}`, this.#headers, JSON.stringify(params));
    const response = JSON.parse(expectStatus(answer, 200).body) as Partial<ExecResponse>;
    const { ret_code, res, err } = response;
    if (typeof ret_code !== 'number' || typeof res !== 'string' || !('err' in response))
      throw new Error(`an answer of ${answer.body}`);
    if (Buffer.from(res, 'base64').length > cBuffers.result)
      throw new Error('the result overflows its buffer');
    return { ret_code, res, err };
  }
}

async function cSend(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<Answer> {
  if (url.length > cBuffers.url) throw new Error('the URL overflows its buffer');
  if (body.length > cBuffers.request) throw new Error('the request overflows its buffer');
  const answer = await send(method, url, headers, body);
  if (Buffer.byteLength(answer.body) > cBuffers.answer) throw new Error('the answer overflows its buffer');
  return answer;
}
