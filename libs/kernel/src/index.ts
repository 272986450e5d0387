export * from './app-error.js';
export * from './backoff.js';
export * from './clock.js';
export * from './deadline.js';
export * from './deadline-wheel.js';
export * from './ids.js';
export * from './lifecycle.js';
export * from './logger.js';
