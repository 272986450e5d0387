import { AppError } from '@gantry/kernel';
import type { Caller } from './ports.js';

/** The plugin of the agent itself: its rights are the bridge's and are never part of `*`. */
export const corePluginName = 'agent';

/** Whether the rights of a caller cover a permission of a plugin; `any` is some right to that plugin. */
export function mayCall(rights: readonly string[], permission: string, plugin: string): boolean {
  const isCovered = (right: string): boolean => {
    if (right === '*') return plugin !== corePluginName;
    if (permission === 'any') return right.startsWith(`${plugin}:`);
    if (right.endsWith(':*')) return permission.startsWith(right.slice(0, -1));
    return right === permission;
  };
  return rights.some(isCovered);
}

/** @throws {AppError} forbidden, token-expired */
export function demandPermission(caller: Caller, permission: string, plugin: string, nowMs: number): void {
  if (caller.expiresAt <= nowMs)
    throw new AppError('token-expired', 'The statement of who calls has expired');
  if (!mayCall(caller.rights, permission, plugin))
    throw new AppError(
      'forbidden',
      permission === 'any'
        ? `You have no right to the plugin ${plugin} of this node`
        : `You do not have the right ${permission} on this node`,
    );
}
