import { z } from 'zod';
import { accountNameSchema } from './accounts.js';
import {
  agentConfigDocumentSchema,
  agentEventSchema,
  agentInfoSchema,
  pluginHealthStatuses,
  pluginStates,
} from './agent.js';

/** Edge nodes as a bridge shows them, and what it and an agent say to each other. */

/** First segments of the bridge's own paths, and of those it may have one day: no node can be called so. */
export const reservedNodeNames: ReadonlySet<string> = new Set([
  'apps',
  'assets',
  'bridge',
  'docs',
  'edge',
  'edges',
  'events',
  'favicon.ico',
  'healthz',
  'index.html',
  'jobs',
  'livez',
  'metrics',
  'openapi.json',
  'plugins',
  'portal',
  'problems',
  'readyz',
  'redoc',
  'register',
  'robots.txt',
  'static',
  't',
  'tunnel',
  'v1',
  'v2',
  'version',
]);

/** A node's name is a segment of paths and fits into its credential; host names are fine. */
export const nodeNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
    'must be 1 to 63 letters, digits, ".", "_" or "-"',
  )
  .refine((name) => !reservedNodeNames.has(name.toLowerCase()), 'is reserved for paths of the bridge');

/** `jobs:submit`, `jobs:*`, or `*` for every plugin. Rights to the agent itself are nobody's to give. */
export const rightSchema = z
  .string()
  .regex(
    /^(\*|[a-z][a-z0-9_-]{0,63}:(\*|[a-z][a-z0-9_-]{0,63}))$/,
    'must be "*", "PLUGIN:*" or "PLUGIN:RIGHT"',
  )
  .refine((right) => !right.startsWith('agent:'), 'rights to the agent itself cannot be granted');

/** With whom a node is shared. User `*`: everyone who is signed in. */
export const nodeGrantSchema = z.strictObject({
  user: z.union([accountNameSchema, z.literal('*')]),
  rights: z.array(rightSchema).min(1).max(64),
});
export type NodeGrant = z.infer<typeof nodeGrantSchema>;
export const nodeGrantsSchema = z.array(nodeGrantSchema).max(256);

export const nodeLabelsSchema = z.record(
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9./_-]{0,62}$/),
  z.string().max(256),
);

/** One label of a node, as it is written: `site=lab`. */
export const labelSchema = z
  .string()
  .max(320)
  .regex(/^[A-Za-z0-9][A-Za-z0-9./_-]{0,62}=.{0,256}$/su, 'must be NAME=VALUE');

/** Settings of plugins, for one node or for every node with a label. */
export const nodeSettingsSchema = agentConfigDocumentSchema
  .omit({ revision: true })
  .extend({
    revision: z.number().int().nonnegative().optional().meta({
      description: 'Replaces the settings only if they still have this revision; 0: there are none yet',
    }),
  })
  .meta({ id: 'NodeSettings' });
export type NodeSettings = z.input<typeof nodeSettingsSchema>;

export const labelSettingsSchema = z
  .object({
    label: z.string(),
    settings: agentConfigDocumentSchema,
    nodes: z
      .array(z.string())
      .meta({ description: 'Nodes with this label that are connected, the first hundred' }),
  })
  .meta({ id: 'LabelSettings' });
export type LabelSettings = z.infer<typeof labelSettingsSchema>;

/** What a node runs with: the settings of its labels in their order, later ones over earlier, and its own over all. */
export const settingsInForceSchema = agentConfigDocumentSchema.extend({
  labels: z.array(z.string()).meta({ description: 'Labels of the node that have settings, in their order' }),
});
export type SettingsInForce = z.infer<typeof settingsInForceSchema>;

export const nodeStates = ['connected', 'disconnected', 'enrolled', 'revoked'] as const;
export type NodeState = (typeof nodeStates)[number];

export const nodePluginSchema = z.object({
  name: z.string(),
  aliases: z.array(z.string()),
  version: z.string(),
  state: z.enum(pluginStates),
  reason: z.string().nullable(),
  health: z.object({ status: z.enum(pluginHealthStatuses), detail: z.string().optional() }).nullable(),
  permissions: z.array(z.string()),
});

export const nodeViewSchema = z
  .object({
    name: z.string(),
    state: z.enum(nodeStates).meta({
      description:
        'Connected; was connected once; has an enrolment token and never came; its credential was revoked',
    }),
    kind: z
      .enum(['gantry', 'original'])
      .nullable()
      .meta({ description: 'What connected last; null: nothing yet' }),
    owner: z.string(),
    version: z.string().nullable(),
    labels: z.record(z.string(), z.string()),
    facts: z
      .record(z.string(), z.record(z.string(), z.unknown()))
      .nullable()
      .meta({ description: 'By plugin, 64 KiB at most; null in lists' }),
    plugins: z.array(nodePluginSchema),
    created_at: z.iso.datetime(),
    last_seen: z.iso.datetime().nullable(),
    latency_ms: z
      .number()
      .nullable()
      .meta({ description: 'Round trip of the last heartbeat, while connected' }),
    connections: z
      .number()
      .int()
      .meta({ description: 'To the bridge that was asked; 0 for a node of another one' }),
    bridge_url: z.string().nullable().meta({
      description: 'The bridge that the node is connected to, if that is another one with a public URL',
    }),
    lease_epoch: z.number().int().meta({ description: 'Grows with every agent that takes the name over' }),
    rights: z.array(z.string()).meta({ description: 'What the caller may do there' }),
    grants: nodeGrantsSchema.nullable().meta({ description: 'Null for those who cannot change them' }),
    settings: agentConfigDocumentSchema
      .nullable()
      .meta({ description: 'Its own, without those of its labels. As grants' }),
    settings_in_force: settingsInForceSchema
      .nullable()
      .meta({ description: 'Its own over those of its labels; null when there are none. As grants' }),
    settings_applied: agentInfoSchema.shape.config
      .nullable()
      .meta({ description: 'What the node said it has taken, and refused, last. As grants' }),
  })
  .meta({ id: 'Node' });
export type NodeView = z.infer<typeof nodeViewSchema>;

export const newNodeSchema = z
  .strictObject({
    name: nodeNameSchema,
    owner: accountNameSchema
      .optional()
      .meta({ description: 'The caller, unless an administrator names another' }),
    labels: nodeLabelsSchema.default({}),
    replace: z.boolean().default(false).meta({
      description: 'For a node that exists: its credential stops working once the new token is used',
    }),
  })
  .meta({ id: 'NewNode' });
export type NewNode = z.input<typeof newNodeSchema>;

export const nodeEnrolmentSchema = z
  .object({
    name: z.string(),
    enrolment_token: z.string().meta({ description: 'For one use; shown once' }),
    expires_at: z.iso.datetime(),
    bridge_url: z
      .string()
      .nullable()
      .meta({ description: 'Where nodes reach the bridge; null: its public URL is not set' }),
  })
  .meta({ id: 'NodeEnrolment' });
export type NodeEnrolment = z.infer<typeof nodeEnrolmentSchema>;

/** Ed25519 keys that sign the statements of who calls; an agent believes these and no others. */
export const bridgeKeysSchema = z
  .array(z.object({ id: z.number().int(), public_key: z.string().regex(/^[0-9a-f]{64}$/) }))
  .min(1)
  .max(16);
export type BridgeKeys = z.infer<typeof bridgeKeysSchema>;

/** What an agent gets for its enrolment token, and keeps. */
export const nodeCredentialSchema = z
  .object({
    name: z.string(),
    credential: z.string().meta({ description: 'Biscuit that is good for this name only' }),
    expires_at: z.iso.datetime(),
    bridge_keys: bridgeKeysSchema.meta({
      description: 'Ed25519 keys that sign the statements of who calls',
    }),
  })
  .meta({ id: 'NodeCredential' });
export type NodeCredential = z.infer<typeof nodeCredentialSchema>;

/** With the enrolment token: asking again with the same one answers the same credential, for some minutes. */
export const enrolmentNonceHeader = 'gantry-enrolment-nonce';
/** Random. */
export const enrolmentNonceSchema = z.string().regex(/^[A-Za-z0-9_-]{22,64}$/);

/** An agent proves its name with its credential, and that it is one process with an id of its own. */
export const tunnelPath = '/tunnel';
export const instanceHeader = 'gantry-instance';
/** 22 to 64 characters, random. */
export const instanceIdSchema = z.string().regex(/^[A-Za-z0-9_-]{16,64}$/);

/** With the dial: ids of the bridge's keys that the agent knows, with commas between. */
export const knownKeysHeader = 'gantry-keys';

/** Who calls a plugin, signed by the bridge: {@link callerStatementSchema} and its signature, in this header. */
export const callerHeader = 'gantry-caller';
export const callerStatementSchema = z.object({
  v: z.literal(1),
  /** Of the key that signed it. */
  kid: z.number().int(),
  /** The one node it is meant for. */
  node: z.string(),
  user: z.string(),
  rights: z.array(z.string()),
  /** Epoch milliseconds. */
  iat: z.number().int(),
  exp: z.number().int(),
});
export type CallerStatement = z.infer<typeof callerStatementSchema>;

/** One event of `GET /v1/events`. */
export const nodeEventSchema = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('event'), node: z.string(), event: agentEventSchema }),
    z.object({
      kind: z.literal('node'),
      node: z.string(),
      state: z.enum(nodeStates).meta({ description: 'Connected: also when its plugins have changed' }),
    }),
    z.object({
      kind: z.literal('gap'),
      dropped: z.number().int().meta({
        description:
          'Events that this reader may have missed: it was too slow, or away for longer than they are kept; 0: nobody knows how many',
      }),
    }),
  ])
  .meta({ id: 'NodeEvent' });
export type NodeEvent = z.infer<typeof nodeEventSchema>;

/** Which of its parallel connections an agent dials, from 0: dialling one again replaces it. */
export const connectionHeader = 'gantry-connection';
