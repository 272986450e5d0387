import { messageOf } from '@gantry/kernel';
import type { Metrics } from '@gantry/telemetry';
import { createHttpServer, type HttpServer } from './server.js';

/** `/metrics` on a port of its own, so that it can stay closed to callers of the API. */
export function createMetricsServer(
  options: { host: string; port: number },
  sources: readonly Metrics[],
): HttpServer {
  const server = { name: 'metrics', ...options, portSetting: 'GANTRY_METRICS_PORT' };
  return createHttpServer(server, (request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    Promise.all(sources.map((source) => source.expose())).then(
      (exposed) => {
        response.writeHead(200, { 'content-type': exposed[0]?.contentType ?? 'text/plain' });
        response.end(exposed.map(({ text }) => text).join('\n'));
      },
      (error: unknown) => response.writeHead(500).end(messageOf(error)),
    );
  });
}
