/** `fetch` that holds every answer of a service against the service's own OpenAPI document. */
import { strict as assert } from 'node:assert';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

interface OpenApi {
  readonly paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, { schema: object }> }> }>
  >;
}

const documents = new Map<string, Promise<Checker>>();
/** How many answers were checked, so that a suite can prove that it checked any. */
export const checked = { answers: 0 };

const undeclared = /^\/($|docs|openapi\.json$|livez$|readyz$|version$|problems\/|metrics$)/;

class Checker {
  readonly #document: OpenApi;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #validators = new Map<string, ValidateFunction>();

  constructor(document: OpenApi) {
    this.#document = document;
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(document, 'openapi');
  }

  check(method: string, path: string, status: number, contentType: string | null, text: string): void {
    const where = `${method} ${path} → ${status}`;
    const template = Object.keys(this.#document.paths).find(
      (candidate) =>
        this.#document.paths[candidate]?.[method.toLowerCase()] !== undefined &&
        new RegExp(`^${candidate.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
    );
    if (template === undefined) {
      // Pages, probes and refusals of unknown routes are not part of the document; anything else has to be.
      assert(
        undeclared.test(path) || status === 404 || status === 405,
        `${where}: the route is not declared`,
      );
      return;
    }
    const response = this.#document.paths[template]?.[method.toLowerCase()]?.responses[String(status)];
    assert(response, `${where}: the OpenAPI document does not declare this status`);
    checked.answers += 1;
    if (response.content === undefined) {
      assert.equal(text, '', `${where}: declared without a body`);
      return;
    }
    const mediaType = contentType?.split(';')[0] ?? '';
    assert(response.content[mediaType], `${where}: content type ${mediaType} is not declared`);
    if (!mediaType.endsWith('json')) return;
    const validate = this.#validator(template, method.toLowerCase(), String(status), mediaType);
    assert(
      validate(JSON.parse(text)),
      `${where}: ${this.#ajv.errorsText(validate.errors)} in ${text.slice(0, 500)}`,
    );
  }

  #validator(template: string, method: string, status: string, mediaType: string): ValidateFunction {
    const pointer = ['paths', template, method, 'responses', status, 'content', mediaType, 'schema']
      .map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'))
      .map(encodeURIComponent)
      .join('/');
    const known = this.#validators.get(pointer);
    if (known !== undefined) return known;
    const made = this.#ajv.compile({ $ref: `openapi#/${pointer}` });
    this.#validators.set(pointer, made);
    return made;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; throws when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they then assert.
  readonly json: any;
}

/** Sends a request with a deadline and checks the answer against `/openapi.json` of the same service. */
export async function checkedFetch(url: string, init: RequestInit = {}): Promise<Answer> {
  const { origin, pathname } = new URL(url);
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(90_000), ...init });
  const text = await response.text();
  let checker = documents.get(origin);
  if (checker === undefined) {
    checker = fetch(`${origin}/openapi.json`)
      .then((answer) => answer.json())
      .then((document) => new Checker(document as OpenApi));
    documents.set(origin, checker);
  }
  (await checker).check(
    init.method ?? 'GET',
    pathname,
    response.status,
    response.headers.get('content-type'),
    text,
  );
  return {
    status: response.status,
    headers: response.headers,
    text,
    get json() {
      return JSON.parse(text);
    },
  };
}
