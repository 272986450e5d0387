import { z } from 'zod';
import { publicKeySchema } from '../clusters.js';
import {
  labelSchema,
  labelSettingsSchema,
  newNodeSchema,
  nodeCredentialSchema,
  nodeEnrolmentSchema,
  nodeGrantsSchema,
  nodeSettingsSchema,
  nodeViewSchema,
} from '../nodes.js';
import { pageOf, pageQuerySchema, type RouteContract } from './route-contract.js';

const nodeParams = z.object({ name: z.string().min(1).max(63) });
const labelParams = z.object({ label: labelSchema });

/** What stands where the name of a plugin would: no plugin can be called so. */
export const nodeSubresources: ReadonlySet<string> = new Set([
  'credential',
  'disconnect',
  'enrolment',
  'grants',
  'revoke',
  'settings',
]);

/** Every route of the bridge but the ones that stream: events, plugins of nodes, the tunnel. */
export const bridgeApi = {
  listNodes: {
    method: 'get',
    path: '/v1/nodes',
    summary: 'Nodes that the caller owns, that are shared with the caller, or all (administrators), by name',
    tag: 'nodes',
    auth: 'token',
    query: pageQuerySchema,
    responses: { 200: { description: 'A page of nodes', schema: pageOf(nodeViewSchema) } },
  },
  enrolNode: {
    method: 'post',
    path: '/v1/nodes',
    summary: 'Make a one-time token with which an agent joins under a name',
    tag: 'nodes',
    auth: 'token',
    body: newNodeSchema,
    responses: { 201: { description: 'The token', schema: nodeEnrolmentSchema } },
    problems: ['forbidden', 'node-exists', 'quota-exceeded'],
  },
  redeemEnrolment: {
    method: 'post',
    path: '/v1/nodes/{name}/credential',
    summary:
      'Exchange an enrolment token for the credential of the node; works once, and for ten minutes again with the same gantry-enrolment-nonce header',
    tag: 'nodes',
    auth: 'enrolment',
    params: nodeParams,
    responses: { 201: { description: 'The credential', schema: nodeCredentialSchema } },
    problems: ['invalid-service-credential', 'too-many-requests'],
  },
  readNode: {
    method: 'get',
    path: '/v1/nodes/{name}',
    summary: 'One node',
    tag: 'nodes',
    auth: 'token',
    params: nodeParams,
    responses: { 200: { description: 'The node', schema: nodeViewSchema } },
    problems: ['node-not-found'],
  },
  removeNode: {
    method: 'delete',
    path: '/v1/nodes/{name}',
    summary: 'Forget a node: its credential stops working and it is disconnected (owner, administrators)',
    tag: 'nodes',
    auth: 'token',
    params: nodeParams,
    responses: { 204: { description: 'Gone' } },
    problems: ['forbidden', 'node-not-found'],
  },
  setNodeGrants: {
    method: 'put',
    path: '/v1/nodes/{name}/grants',
    summary: 'Replace with whom the node is shared (owner, administrators)',
    tag: 'nodes',
    auth: 'token',
    params: nodeParams,
    body: nodeGrantsSchema,
    responses: { 200: { description: 'The node', schema: nodeViewSchema } },
    problems: ['forbidden', 'node-not-found'],
  },
  setNodeSettings: {
    method: 'put',
    path: '/v1/nodes/{name}/settings',
    summary: 'Replace the settings of the plugins of the node; a connected agent takes them at once',
    tag: 'nodes',
    auth: 'token',
    params: nodeParams,
    body: nodeSettingsSchema,
    responses: { 200: { description: 'The node', schema: nodeViewSchema } },
    problems: ['forbidden', 'node-not-found', 'precondition-failed'],
  },
  revokeNode: {
    method: 'post',
    path: '/v1/nodes/{name}/revoke',
    summary: 'Revoke the credential of the node and disconnect it at once (owner, administrators)',
    tag: 'nodes',
    auth: 'token',
    params: nodeParams,
    responses: { 200: { description: 'The node', schema: nodeViewSchema } },
    problems: ['forbidden', 'node-not-found'],
  },
  listLabelSettings: {
    method: 'get',
    path: '/v1/label-settings',
    summary: 'Settings of plugins for all nodes with a label, by label (administrators)',
    tag: 'nodes',
    auth: 'administrator',
    responses: { 200: { description: 'All of them', schema: z.array(labelSettingsSchema) } },
  },
  setLabelSettings: {
    method: 'put',
    path: '/v1/label-settings/{label}',
    summary:
      'Replace the settings for nodes with a label; connected agents take them at once (administrators)',
    tag: 'nodes',
    auth: 'administrator',
    params: labelParams,
    body: nodeSettingsSchema,
    responses: { 200: { description: 'The settings', schema: labelSettingsSchema } },
    problems: ['precondition-failed', 'quota-exceeded'],
  },
  removeLabelSettings: {
    method: 'delete',
    path: '/v1/label-settings/{label}',
    summary: 'Forget the settings of a label; connected agents go back at once (administrators)',
    tag: 'nodes',
    auth: 'administrator',
    params: labelParams,
    responses: { 204: { description: 'Gone' } },
    problems: ['settings-not-found'],
  },
  listBridgeKeys: {
    method: 'get',
    path: '/v1/bridge/keys',
    summary: 'Keys that sign the credentials of nodes and the statements of who calls (administrators)',
    tag: 'nodes',
    auth: 'administrator',
    responses: { 200: { description: 'The keys, oldest first', schema: z.array(publicKeySchema) } },
  },
  rotateBridgeKey: {
    method: 'post',
    path: '/v1/bridge/keys',
    summary: 'Add a key that signs from now on; connected agents learn it at once, others when they come',
    tag: 'nodes',
    auth: 'administrator',
    responses: { 201: { description: 'The new key', schema: publicKeySchema } },
  },
  disconnectNode: {
    method: 'post',
    path: '/v1/nodes/{name}/disconnect',
    summary: 'End the connection of the node; its agent connects again (owner, administrators)',
    tag: 'nodes',
    auth: 'token',
    params: nodeParams,
    responses: { 200: { description: 'The node', schema: nodeViewSchema } },
    problems: ['forbidden', 'node-not-found', 'node-unreachable', 'node-elsewhere'],
  },
} as const satisfies Record<string, RouteContract>;

const edgePluginSchema = z.object({
  type: z.string(),
  namespace: z.string(),
  version: z.string(),
  enabled: z.boolean(),
  ui_config: z.record(z.string(), z.unknown()),
});

/** What the clients of RADICAL Edge ask its bridge for; its events and the plugins of nodes stream and are not here. */
export const edgeDoorApi = {
  listEdgesWithPlugins: {
    method: 'post',
    path: '/edge/list',
    summary: 'Connected nodes with their plugins, for clients of RADICAL Edge',
    tag: 'radical edge',
    auth: 'token',
    responses: {
      200: {
        description: 'Only nodes that the caller may see',
        schema: z.object({
          data: z.object({
            bridge: z.object({ url: z.string() }),
            edges: z.record(
              z.string(),
              z.object({
                endpoint: z.object({ type: z.string() }),
                plugins: z.record(z.string(), edgePluginSchema),
              }),
            ),
          }),
        }),
      },
    },
  },
  listEdges: {
    method: 'get',
    path: '/edges',
    summary: 'Connected nodes and the names of their plugins, for clients of RADICAL Edge',
    tag: 'radical edge',
    auth: 'token',
    responses: {
      200: {
        description: 'Only nodes that the caller may see',
        schema: z.object({
          edges: z.array(
            z.object({
              name: z.string(),
              plugins: z.array(z.string()),
              connected: z.boolean(),
              plugin_count: z.number().int(),
            }),
          ),
          total: z.number().int(),
        }),
      },
    },
  },
  disconnectEdge: {
    method: 'post',
    path: '/edge/disconnect/{name}',
    summary: 'Shut the edge service of a node down (administrators); our own agents connect again',
    tag: 'radical edge',
    auth: 'token',
    params: nodeParams,
    responses: {
      200: { description: 'Done', schema: z.object({ status: z.literal('shutdown'), edge: z.string() }) },
    },
    problems: ['forbidden', 'node-not-found', 'node-unreachable', 'node-elsewhere'],
  },
} as const satisfies Record<string, RouteContract>;
