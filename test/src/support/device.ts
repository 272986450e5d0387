/** A device that speaks the wire protocol by hand, byte for byte as existing clients do. */
import { createHash } from 'node:crypto';
import { type Answer, checkedFetch } from './checked-fetch.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');

export interface Device {
  readonly token: string;
  /** Uploads the text of an ES module; answers its id. */
  upload(source: string): Promise<number>;
  requirement(fields?: Readonly<Record<string, unknown>>): Promise<number>;
  /** Parameters are given as values; a query of one's own may add `mode` and the like. */
  execute(
    functionId: number,
    requirementId: number,
    parameters: readonly unknown[],
    options?: { mode?: string; headers?: Record<string, string> },
  ): Promise<Answer>;
  read(executionId: string, waitSeconds?: number): Promise<Answer>;
}

/** `POST /v1/authenticate`; answers the token. */
export async function signIn(cloudUrl: string, name: string, password: string): Promise<string> {
  const answer = await checkedFetch(`${cloudUrl}/v1/authenticate`, {
    method: 'POST',
    headers: { authorization: `Basic ${base64(`${name}:${password}`)}` },
  });
  if (answer.status !== 201) throw new Error(`sign-in: ${answer.status} ${answer.text}`);
  return answer.json as string;
}

export async function newDevice(
  urls: { cloudUrl: string; edgeUrl: string },
  account: { name: string; password: string },
): Promise<Device> {
  const token = await signIn(urls.cloudUrl, account.name, account.password);
  const headers = { token };
  return {
    token,
    async upload(source) {
      const body = {
        LANG: 'JS',
        FC: base64(source),
        FC_HASH: createHash('sha256').update(source).digest('hex'),
      };
      // Bytes, so that fetch adds no Content-Type: the Python client sends none.
      const answer = await checkedFetch(`${urls.cloudUrl}/v1/daas/upload`, {
        method: 'POST',
        headers,
        body: Buffer.from(JSON.stringify(body)),
      });
      if (answer.status !== 200) throw new Error(`upload: ${answer.status} ${answer.text}`);
      return answer.json as number;
    },
    async requirement(fields = {}) {
      const answer = await checkedFetch(`${urls.cloudUrl}/v1/app_requirements`, {
        method: 'POST',
        headers,
        body: Buffer.from(JSON.stringify({ FLAVOUR: 'Nature', ...fields })),
      });
      if (answer.status !== 200) throw new Error(`requirement: ${answer.status} ${answer.text}`);
      return answer.json as number;
    },
    execute: (functionId, requirementId, parameters, options = {}) =>
      checkedFetch(
        `${urls.edgeUrl}/v1/functions/${functionId}/execute?app_req_id=${requirementId}&mode=${options.mode ?? 'sync'}`,
        {
          method: 'POST',
          headers: { ...headers, ...options.headers },
          body: Buffer.from(JSON.stringify(parameters.map((value) => base64(JSON.stringify(value))))),
        },
      ),
    read: (executionId, waitSeconds = 0) =>
      checkedFetch(`${urls.edgeUrl}/v1/executions/${executionId}?wait=${waitSeconds}`, { headers }),
  };
}

/** The value in `res` of a JS execution. */
export const resultOf = (answer: { res: string }): unknown =>
  JSON.parse(Buffer.from(answer.res, 'base64').toString('utf8'));
