import type { RequestListener, ServerResponse } from 'node:http';
import { AppError } from '@gantry/kernel';
import express, { type Express } from 'express';
import type { AppOptions } from './app-options.js';
import { buildDirectRoutes } from './direct-routes.js';
import { mountDocs } from './docs.js';
import { mountHealth } from './health.js';
import { toProblemReply } from './problem-reply.js';
import { buildResponder, requestIdOf } from './respond.js';
import type { Route } from './route.js';
import { send } from './send.js';

/**
 * What answers the requests of a service: its routes marked `isHot` by themselves, everything else by express.
 */
export function buildHttpApp(options: AppOptions): RequestListener {
  const answerDirectly = buildDirectRoutes(options);
  const app = buildExpressApp(options);
  return (request, response) => {
    if (!answerDirectly(request, response)) app(request, response);
  };
}

/**
 * The express application of a service: its routes, and on the same port `/docs`, `/openapi.json`, `/livez`,
 * `/readyz` and `/version`. No middleware stands before the routes: each one reads, checks and answers by itself,
 * which keeps an execution at a third of the cost of the usual chain.
 */
function buildExpressApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  for (const one of options.routes) mountRoute(app, one, options);
  mountHealth(app, options);
  mountDocs(app, options);
  app.use((request, response) =>
    refuse(request, response, unknownRoute(request.method, request.path, options.routes)),
  );
  // Four parameters make it the handler of what express itself throws, such as a path it cannot decode.
  app.use(
    (error: unknown, request: express.Request, response: express.Response, _next: express.NextFunction) => {
      const isDecoding = error instanceof URIError;
      if (!isDecoding) options.logger.error('request failed', { path: request.path, error });
      refuse(
        request,
        response,
        isDecoding ? new AppError('malformed-request', 'The path is not valid URL encoding') : error,
      );
    },
  );
  return app;
}

function mountRoute(app: Express, one: Route, options: AppOptions): void {
  const respond = buildResponder(one, options);
  const path = one.contract.path.replaceAll(/\{(\w+)\}/g, ':$1');
  app[one.contract.method](path, (request, response) => respond(request, response, request));
}

function refuse(request: express.Request, response: ServerResponse, error: unknown): void {
  const requestId = requestIdOf(request);
  send(response, toProblemReply(error, { requestId }), requestId);
}

/** 405 with Allow when the path is known under another method, else 404. */
function unknownRoute(method: string, path: string, routes: readonly Route[]): AppError {
  const methods = routes
    .filter(({ contract }) => pathPattern(contract.path).test(path))
    .flatMap(({ contract }) =>
      contract.method === 'get' ? ['GET', 'HEAD'] : [contract.method.toUpperCase()],
    );
  if (methods.length === 0)
    return new AppError('route-not-found', `There is no ${method} ${path.slice(0, 200)}`);
  return new AppError('method-not-allowed', `${method} is not allowed here; use ${methods.join(' or ')}`, {
    headers: { allow: methods.join(', ') },
  });
}

const pathPattern = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`);
