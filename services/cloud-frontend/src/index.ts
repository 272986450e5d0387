export { type CloudFrontend, type CloudFrontendOptions, createCloudFrontend } from './app.js';
export type { CloudSurface } from './cloud-surface.js';
export { type CloudFrontendConfig, type CloudSettings, cloudFrontendSchema, cloudSection } from './config.js';
export type { PasswordHasher } from './ports.js';
export type { FirstAccount } from './usecases/ensure-administrator.js';
