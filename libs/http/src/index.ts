export type { AppOptions } from './app-options.js';
export type { Authenticators } from './authenticate.js';
export { buildHttpApp } from './build-app.js';
export type { HealthOptions, ReadinessCheck } from './health.js';
export { createMetricsServer } from './metrics-server.js';
export { buildOpenApi } from './openapi.js';
export * from './route.js';
export { createHttpServer, type HttpServer, type ServerOptions } from './server.js';
export { readVersion, type VersionInfo } from './version.js';
