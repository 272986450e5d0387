export type {
  BridgeClient,
  EventOptions,
  NodeClient,
  NodeSettingsInput,
  NodesClient,
} from './bridge-client.js';
export { type CallErrorCode, type CallResult, decodeResult } from './call-result.js';
export * from './device-runtime.js';
export type { EdgeClient, ExecuteInput, ExecutionFilter, SyncResult } from './edge-client.js';
export type { ExecutionHandle } from './execution-handle.js';
export type { FileVersion, UploadOptions, UploadSource } from './file-transfer.js';
export type { FilesClient } from './files-client.js';
export {
  type FunctionLike,
  type OffloadedFunction,
  type SentFunction,
  type StoredFunctionRef,
  toModuleSource,
} from './function-source.js';
export * from './gantry-client.js';
export * from './gantry-error.js';
export type {
  JobFilter,
  JobOutputOptions,
  JobSpecInput,
  JobsClient,
  SubmitJobOptions,
} from './jobs-client.js';
export { codecOf, type LanguageCodec } from './language-codec.js';
export { type ListOptions, type Page, Paged } from './paged.js';
export {
  PickleError,
  PythonFloat,
  type PythonInput,
  PythonTuple,
  type PythonValue,
  pythonFloat,
  pythonTuple,
} from './pickle/python-values.js';
export { readPickle } from './pickle/read-pickle.js';
export { writePickle } from './pickle/write-pickle.js';
export type { PluginClient, PluginRequest } from './plugin-client.js';
export * from './python-function.js';
export { candidatesOf, findTopLevelFunctions, type TopLevelFunction } from './python-source.js';
export type { Credentials, PasswordCredentials, SessionOptions, TokenCredentials } from './session.js';
export { isTransient, type Patience, repeatTransient } from './transient.js';
export type { RequestOptions } from './transport.js';
