/** What the measured node does with a request, the same whether it came directly or through the tunnel. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

export const sizes = { small: 200, large: 1024 * 1024 } as const;
export type Size = keyof typeof sizes;

const bodies = { small: Buffer.alloc(sizes.small, 'x'), large: Buffer.alloc(sizes.large, 'x') };

type Exchange =
  | { readonly request: IncomingMessage; readonly response: ServerResponse }
  | { readonly request: Http2ServerRequest; readonly response: Http2ServerResponse };

/** `GET /small`, `GET /large`: so many bytes. `POST`: takes the body and answers how long it was. */
export function answer({ request, response }: Exchange): void {
  if (request.method === 'POST') {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => finish(response, Buffer.from(String(bytes))));
  } else finish(response, request.url === '/large' ? bodies.large : bodies.small);
}

function finish(response: ServerResponse | Http2ServerResponse, body: Buffer): void {
  response.setHeader('content-type', 'application/octet-stream');
  response.setHeader('content-length', body.length);
  response.end(body);
}
