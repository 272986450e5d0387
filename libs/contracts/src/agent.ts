import { z } from 'zod';

/** What an edge agent says about itself and its plugins, and what is told to it. */

/** Lower-case words; the first segment of every path of the plugin. */
export const pluginNameSchema = z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/);

/**
 * The settings of a node, as its bridge holds them. What a plugin makes of its own part is the plugin's business; a
 * part for a plugin that the node does not have is kept and has no effect.
 */
export const agentConfigDocumentSchema = z
  .strictObject({
    revision: z.number().int().nonnegative(),
    /** Plugins that are not to run. */
    disabled: z.array(pluginNameSchema).max(256).default([]),
    plugins: z.record(pluginNameSchema, z.record(z.string(), z.unknown())).default({}),
  })
  .meta({ id: 'AgentConfigDocument' });
export type AgentConfigDocument = z.infer<typeof agentConfigDocumentSchema>;

/** What an agent would say to a document, which it does not take. Pointers lead into the document. */
export const agentConfigCheckSchema = z.object({
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })),
  /** Plugins in it that the agent does not know: their part would have no effect. */
  unknown_plugins: z.array(z.string()),
});
export type AgentConfigCheck = z.infer<typeof agentConfigCheckSchema>;

export const pluginStates = ['running', 'disabled', 'unsupported', 'failed'] as const;
export type PluginState = (typeof pluginStates)[number];

export const pluginHealthStatuses = ['healthy', 'degraded', 'failed'] as const;

export const pluginInfoSchema = z.object({
  name: pluginNameSchema,
  aliases: z.array(pluginNameSchema),
  version: z.string(),
  state: z.enum(pluginStates),
  /** Why it does not run; null while it does. */
  reason: z.string().nullable(),
  health: z.object({ status: z.enum(pluginHealthStatuses), detail: z.string().optional() }).nullable(),
  /** What the permissions of its routes are called. */
  permissions: z.array(z.string()),
  /** How a page may show it, in the words of the plugin. */
  ui: z.record(z.string(), z.unknown()),
});
export type PluginInfo = z.infer<typeof pluginInfoSchema>;

export const agentInfoSchema = z
  .object({
    node: z.string(),
    version: z.string(),
    started_at: z.string(),
    labels: z.record(z.string(), z.string()),
    /** By plugin name: what placement may select by. */
    facts: z.record(z.string(), z.record(z.string(), z.unknown())),
    plugins: z.array(pluginInfoSchema),
    config: z.object({
      revision: z.number().int().nullable(),
      /** The last document that was refused since the one that is in force; null when none was. */
      refused: z.object({ revision: z.number().int(), reason: z.string() }).nullable(),
    }),
    events: z.object({
      epoch: z.string(),
      last_seq: z.number().int(),
      acknowledged: z.number().int(),
      waiting: z.number().int(),
      dropped_total: z.number().int(),
    }),
  })
  .meta({ id: 'AgentInfo' });
export type AgentInfo = z.infer<typeof agentInfoSchema>;

/**
 * One event of a node. `(epoch, seq)` never comes twice with another content; `seq` grows within an epoch and may
 * leave numbers out (a state was replaced by a newer one). An event of plugin `agent` and topic `gap` stands for
 * events that were lost, as {@link eventGapSchema}.
 */
export const agentEventSchema = z
  .object({
    epoch: z.string(),
    seq: z.number().int().positive(),
    time: z.string(),
    plugin: z.string(),
    topic: z.string(),
    /** Only this user may see it; null: whoever may see the node. */
    audience: z.string().nullable(),
    data: z.unknown(),
  })
  .meta({ id: 'AgentEvent' });
export type AgentEvent = z.infer<typeof agentEventSchema>;

export const eventGapSchema = z.object({
  /** How many events were dropped before this one. */
  dropped: z.number().int().positive(),
  through_seq: z.number().int().positive(),
});
export type EventGap = z.infer<typeof eventGapSchema>;

export const eventAckSchema = z.strictObject({ epoch: z.string(), seq: z.number().int().nonnegative() });
