import { type ProblemCode, problems } from '@gantry/contracts';
import express, { type Express } from 'express';
import helmet from 'helmet';
import assetsFolder from 'swagger-ui-dist/absolute-path.js';
import type { AppOptions } from './app-options.js';
import { buildOpenApi } from './openapi.js';

/** `/docs` (Swagger UI from local files), `/openapi.json`, and `/problems/{code}`, where `type` of a problem leads. */
export function mountDocs(app: Express, options: AppOptions): void {
  const document = Buffer.from(JSON.stringify(buildOpenApi(options), null, 2));
  const pages = express.Router();
  pages.use(helmet({ strictTransportSecurity: false, contentSecurityPolicy: { directives: contentPolicy } }));
  pages.get('/', (_request, response) => response.redirect(307, '/docs'));
  pages.get('/openapi.json', (_request, response) => void response.type('application/json').send(document));
  pages.get('/docs', (request, response) => {
    // Assets are named relative to the page, so that a path prefix before the service keeps working.
    const prefix = request.originalUrl.split('?')[0]?.endsWith('/') === true ? '' : 'docs/';
    response.type('html').send(docsPage(options.title, prefix));
  });
  const assets = assetsFolder();
  for (const name of ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'])
    pages.get(`/docs/assets/${name}`, (_request, response) => response.sendFile(name, { root: assets }));
  pages.get('/docs/assets/start.js', (_request, response) => void response.type('js').send(startScript));
  pages.get('/problems/:code', (request, response, next) => {
    const { code } = request.params;
    if (!Object.hasOwn(problems, code)) return next();
    response.type('html').send(problemPage(code as ProblemCode));
  });
  app.use(pages);
}

const contentPolicy = {
  defaultSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  // Swagger UI sets style attributes.
  styleSrc: ["'self'", "'unsafe-inline'"],
  upgradeInsecureRequests: null,
};

const startScript =
  "window.ui = SwaggerUIBundle({ url: new URL(document.body.dataset.spec, location.href).href, dom_id: '#ui', deepLinking: true, persistAuthorization: false });";

const head = (title: string) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title>`;

const docsPage = (title: string, prefix: string) =>
  `${head(title)}<link rel="icon" href="${prefix}assets/favicon-32x32.png"><link rel="stylesheet" href="${prefix}assets/swagger-ui.css"></head>
<body data-spec="${prefix === '' ? '../' : ''}openapi.json"><div id="ui"></div>
<script src="${prefix}assets/swagger-ui-bundle.js"></script><script src="${prefix}assets/start.js"></script></body></html>`;

function problemPage(code: ProblemCode): string {
  const { status, title, remedy, retryable } = problems[code];
  const retry = retryable ? '<p>The same request may succeed later.</p>' : '';
  return `${head(title)}<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}</style></head>
<body><h1>${title}</h1><p><code>${code}</code>, HTTP status ${status}</p><p>${remedy}</p>${retry}</body></html>`;
}
