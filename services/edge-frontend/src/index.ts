export { type CloudHttpOptions, linkOverHttp } from './adapters/cloud-http/cloud-http.js';
export { type CloudInProcess, linkInProcess } from './adapters/cloud-in-process/cloud-in-process.js';
export { createEdgeFrontend, type EdgeFrontend } from './app.js';
export {
  type EdgeFrontendConfig,
  type EdgeSettings,
  edgeFrontendSchema,
  edgeSection,
  isLoopbackHost,
} from './config.js';
export type { EdgeFrontendOptions } from './edge-options.js';
export type { CloudLink, DocumentReader, RequirementOfOwner } from './ports.js';
