/** Calls of a device, as plain HTTP. */
import { problemSchema } from '@gantry/contracts';
import type { EdgeUnderTest } from './start-edge.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of it
  readonly json: any;
}

export async function request(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  const json = isJson ? JSON.parse(text) : undefined;
  if (response.status >= 400) problemSchema.parse(json);
  return { status: response.status, headers: response.headers, text, json };
}

export class Device {
  readonly #edge: EdgeUnderTest;
  readonly token: string;
  readonly functionId: number;
  readonly requirementId: number;

  private constructor(
    edge: EdgeUnderTest,
    token: string,
    ids: { functionId: number; requirementId: number },
  ) {
    this.#edge = edge;
    this.token = token;
    this.functionId = ids.functionId;
    this.requirementId = ids.requirementId;
  }

  /** Signed in, with a function and a requirement of its own. */
  static async of(
    edge: EdgeUnderTest,
    user = 'ada',
    requirement: Parameters<EdgeUnderTest['cloud']['addRequirement']>[1] = {},
    role: 'user' | 'administrator' = 'user',
  ): Promise<Device> {
    const { token } = await edge.cloud.issue(user, { role });
    return new Device(edge, token, {
      functionId: edge.cloud.addFunction(user),
      requirementId: edge.cloud.addRequirement(user, requirement),
    });
  }

  execute(
    options: {
      mode?: string;
      functionId?: number | string;
      requirementId?: number | string;
      body?: string | Buffer;
      headers?: Record<string, string>;
      signal?: AbortSignal;
    } = {},
  ): Promise<Answer> {
    const { mode = 'sync', functionId = this.functionId, requirementId = this.requirementId } = options;
    const query = `app_req_id=${requirementId}&mode=${mode}`;
    const body = options.body ?? '["MQ=="]';
    return request(`${this.#edge.url}/v1/functions/${functionId}/execute?${query}`, {
      method: 'POST',
      headers: { token: this.token, ...options.headers },
      // A Buffer gets no Content-Type, as the original clients send none.
      body: typeof body === 'string' ? Buffer.from(body) : body,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }

  get(path: string): Promise<Answer> {
    return request(`${this.#edge.url}${path}`, { headers: { token: this.token } });
  }

  cancel(id: string): Promise<Answer> {
    return request(`${this.#edge.url}/v1/executions/${id}`, {
      method: 'DELETE',
      headers: { token: this.token },
    });
  }
}
