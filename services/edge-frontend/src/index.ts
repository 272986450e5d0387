export { type CloudHttpOptions, linkOverHttp } from './adapters/cloud-http/cloud-http.js';
export { type CloudInProcess, linkInProcess } from './adapters/cloud-in-process/cloud-in-process.js';
export { localFleet } from './adapters/local-processes/local-fleet.js';
export { isLockHeld, type Lock, takeLock } from './adapters/local-processes/process-lock.js';
export type { RuntimeLaunch, SecretSource } from './adapters/local-processes/runtime-launch.js';
export { type RuntimeProcess, RuntimeProcesses } from './adapters/local-processes/runtime-processes.js';
export { createEdgeFrontend, type EdgeFrontend } from './app.js';
export { drainSecondsOf, runtimeFolderOf, runtimeProgram, secretOf } from './compose-scaler.js';
export {
  type EdgeFrontendConfig,
  type EdgeSettings,
  edgeFrontendSchema,
  edgeSection,
  isLoopbackHost,
} from './config.js';
export type { EdgeFrontendOptions } from './edge-options.js';
export type {
  CloudLink,
  DocumentReader,
  FleetMember,
  RequirementOfOwner,
  RuntimeFleet,
  RuntimeScaler,
} from './ports.js';
export {
  keepRuntimeCredential,
  readRuntimeCredential,
  runtimeCredentialFileOf,
} from './runtime-credential.js';
export { FleetScaler } from './usecases/fleet-scaler.js';
