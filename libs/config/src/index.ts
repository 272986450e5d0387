export * from './environment.js';
export * from './load-config.js';
export * from './load-flavours.js';
export * from './load-service-config.js';
export * from './run-service.js';
export * from './shared-sections.js';
