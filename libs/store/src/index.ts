export { openStore, type StoreOptions } from './open-store.js';
export * from './ports.js';
