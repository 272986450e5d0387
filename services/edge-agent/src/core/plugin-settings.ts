/** What a configuration document means for each plugin. Pure. */
import { type AgentConfigDocument, agentConfigDocumentSchema } from '@gantry/contracts';
import { AppError, type FieldError } from '@gantry/kernel';
import type { AgentPlugin } from './ports.js';
import { parseWith, toFieldErrors } from './read-body.js';

/** Settings by plugin name, of the file on the machine itself. */
export type LocalSettings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface PluginSettings {
  readonly isDisabled: boolean;
  readonly config: unknown;
}

/**
 * The settings of every plugin: defaults, overlaid key by key by the machine's own file, then by the document. Aliases
 * name their plugin.
 * @throws {AppError} invalid-request with one error per broken rule, as JSON pointers into the document
 */
export function resolveSettings(
  plugins: readonly AgentPlugin[],
  local: LocalSettings,
  document: AgentConfigDocument,
): ReadonlyMap<string, PluginSettings> {
  const errors: FieldError[] = [];
  const resolved = new Map<string, PluginSettings>();
  for (const plugin of plugins) {
    const names = [plugin.name, ...plugin.aliases];
    const parts = names.flatMap((name) => [local[name] ?? {}]);
    const sent = names.flatMap((name) => [document.plugins[name] ?? {}]);
    const merged: unknown = Object.assign({}, ...parts, ...sent);
    const parsed = plugin.configSchema.safeParse(merged);
    if (parsed.success)
      resolved.set(plugin.name, {
        isDisabled: document.disabled.some((name) => names.includes(name)),
        config: parsed.data,
      });
    else errors.push(...toFieldErrors(parsed.error, `/plugins/${plugin.name}`));
  }
  const [first] = errors;
  if (first !== undefined)
    throw new AppError('invalid-request', `${first.pointer}: ${first.detail}`, { errors });
  return resolved;
}

/** @throws {AppError} invalid-request */
export const parseDocument = (document: unknown): AgentConfigDocument =>
  parseWith(agentConfigDocumentSchema, document, '');

export const emptyDocument: AgentConfigDocument = { revision: 0, disabled: [], plugins: {} };
