/** `node generator.js`, with a {@link PipelineTarget} as JSON in argv: calls a function over kept HTTP connections. */
import { serveOrders } from '../measure/load.js';
import { HttpConnection } from './http-connection.js';
import type { PipelineTarget } from './target.js';

const maxConcurrency = 32;
const target = JSON.parse(process.argv[2] ?? '{}') as PipelineTarget;
const url = new URL(target.url);
const body = Buffer.from(target.body);
const head = [
  `POST ${url.pathname}${url.search} HTTP/1.1`,
  `host: ${url.host}`,
  `token: ${target.token}`,
  `content-length: ${body.length}`,
];
const request = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);

serveOrders(
  Array.from({ length: maxConcurrency }, () => {
    const connection = new HttpConnection(url, request);
    return {
      call: async () => {
        const answer = await connection.send();
        return answer.status === 200 && answer.body.toString() === target.expectedBody;
      },
    };
  }),
);
