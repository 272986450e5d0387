export {
  type AgentLimits,
  buildEdgeAgent,
  defaultLimits,
  type EdgeAgent,
  type EdgeAgentOptions,
} from './app.js';
export type { LocalSettings } from './core/plugin-settings.js';
export type * from './core/ports.js';
export type { AgentRequest, AgentRequestHandler } from './core/request-handler.js';
export type { AgentResponse } from './core/write-reply.js';
export { agentPlugins } from './plugins.js';
