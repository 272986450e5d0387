/** What a configuration document means for each plugin. Pure. */
import {
  type AgentConfigCheck,
  type AgentConfigDocument,
  agentConfigDocumentSchema,
} from '@gantry/contracts';
import { AppError, type FieldError } from '@gantry/kernel';
import type { AgentPlugin } from './ports.js';
import { parseWith, toFieldErrors } from './read-body.js';

/**
 * Settings by plugin name, of the file on the machine itself. Beside a plugin's own keys each may say `locked: true` (the
 * bridge changes nothing of it) and `enabled: false` (it does not run here, whatever the bridge says).
 */
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
  const { errors, resolved } = settle(plugins, local, document);
  const [first] = errors;
  if (first !== undefined)
    throw new AppError('invalid-request', `${first.pointer}: ${first.detail}`, { errors });
  return resolved;
}

/** What {@link resolveSettings} would say to a document, and which of its plugins nobody knows here. */
export function checkDocument(
  plugins: readonly AgentPlugin[],
  local: LocalSettings,
  document: AgentConfigDocument,
): AgentConfigCheck {
  const known = new Set(plugins.flatMap(({ aliases, name }) => [name, ...aliases]));
  const named = [...Object.keys(document.plugins), ...document.disabled];
  return {
    errors: [...settle(plugins, local, document).errors],
    unknown_plugins: [...new Set(named.filter((name) => !known.has(name)))],
  };
}

function settle(plugins: readonly AgentPlugin[], local: LocalSettings, document: AgentConfigDocument) {
  const errors: FieldError[] = [];
  const resolved = new Map<string, PluginSettings>();
  for (const plugin of plugins) {
    const names = [plugin.name, ...plugin.aliases];
    const { enabled, locked, ...own } = Object.assign({}, ...names.map((name) => local[name] ?? {}));
    const sent = names.flatMap((name) => [document.plugins[name] ?? {}]);
    if (locked === true && sent.some((part) => Object.keys(part).length > 0))
      errors.push({
        pointer: `/plugins/${plugin.name}`,
        detail: 'the settings of this plugin are locked by the file of the machine',
      });
    const merged: unknown = Object.assign({}, own, ...sent);
    const parsed = plugin.configSchema.safeParse(merged);
    if (parsed.success)
      resolved.set(plugin.name, {
        isDisabled: enabled === false || document.disabled.some((name) => names.includes(name)),
        config: parsed.data,
      });
    else errors.push(...toFieldErrors(parsed.error, `/plugins/${plugin.name}`));
  }
  return { errors, resolved };
}

/** @throws {AppError} invalid-request */
export const parseDocument = (document: unknown): AgentConfigDocument =>
  parseWith(agentConfigDocumentSchema, document, '');

export const emptyDocument: AgentConfigDocument = { revision: 0, disabled: [], plugins: {} };
