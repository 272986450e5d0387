export { HttpPayloadSource, type HttpPayloadSourceOptions } from './adapters/http/http-payload-source.js';
export { type RuntimeSettings, runtimeSchema, runtimeSection, toRuntimeOptions } from './config.js';
export { IsolationError } from './isolation/isolation.js';
export { type ExecutionRecord, noMetrics, type PayloadSource, type RuntimeMetrics } from './ports.js';
export { createRuntime, type Runtime, type RuntimeDeps } from './runtime.js';
export { createRuntimeMetrics } from './runtime-metrics.js';
export { defaultRuntimeOptions, type RuntimeOptions } from './runtime-options.js';
export { type Isolations, resolveIsolations } from './start-executors.js';
