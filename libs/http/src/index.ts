export type { Authenticators } from './authenticate.js';
export { type AppOptions, buildHttpApp } from './build-app.js';
export { type HealthOptions, type ReadinessCheck, readVersion, type VersionInfo } from './health.js';
export { createMetricsServer } from './metrics-server.js';
export { buildOpenApi } from './openapi.js';
export * from './route.js';
export { createHttpServer, type HttpServer, type ServerOptions } from './server.js';
