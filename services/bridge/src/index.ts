export { type Bridge, type BridgeOptions, createBridge } from './app.js';
export type { BridgeSurface } from './bridge-surface.js';
export { type BridgeConfig, type BridgeSettings, bridgeSchema, bridgeSection } from './config.js';
export type { CloudTrust, UserTrust } from './ports.js';
