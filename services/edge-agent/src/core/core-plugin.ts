import {
  type AgentConfigCheck,
  type AgentInfo,
  type BridgeKeys,
  bridgeKeysSchema,
  eventAckSchema,
} from '@gantry/contracts';
import { z } from 'zod';
import type { EventSpool } from './event-spool.js';
import { corePluginName } from './permissions.js';
import type { AgentPlugin, PluginCall, PluginReply, ServerEvent } from './ports.js';

export interface CoreDeps {
  readonly version: string;
  readonly info: () => AgentInfo;
  /** @throws {AppError} invalid-request */
  readonly configure: (document: unknown) => Promise<void>;
  /** @throws {AppError} invalid-request */
  readonly check: (document: unknown) => AgentConfigCheck;
  /** From now on the bridge signs with one of these; resolves when they are kept. */
  readonly learnKeys: (keys: BridgeKeys) => Promise<void>;
  readonly spool: EventSpool;
}

const bridgePermission = `${corePluginName}:bridge`;
const maxDocumentBytes = 1024 * 1024;

/**
 * The agent itself, as a plugin: what it is, its settings, its events. All but `info` is for the bridge alone: the right
 * `agent:bridge` is never part of a user's `*`.
 */
export function createCorePlugin(deps: CoreDeps): AgentPlugin {
  const info = async (): Promise<PluginReply> => ({ json: deps.info() });
  return {
    name: corePluginName,
    aliases: [],
    version: deps.version,
    configSchema: z.strictObject({}),
    isSupported: async () => true,
    start: async () => ({
      routes: [
        { method: 'GET', path: '/info', permission: `${corePluginName}:read`, handler: info },
        {
          method: 'PUT',
          path: '/config',
          permission: bridgePermission,
          maxBodyBytes: maxDocumentBytes,
          // Plugins may be stopped and started by it.
          timeoutMs: 120_000,
          handler: async (call) => {
            await deps.configure(await call.readJson(z.unknown(), maxDocumentBytes));
            return info();
          },
        },
        {
          method: 'POST',
          path: '/config/check',
          permission: bridgePermission,
          maxBodyBytes: maxDocumentBytes,
          handler: async (call) => ({
            json: deps.check(await call.readJson(z.unknown(), maxDocumentBytes)),
          }),
        },
        {
          method: 'PUT',
          path: '/keys',
          permission: bridgePermission,
          handler: async (call) => {
            await deps.learnKeys(await call.readJson(bridgeKeysSchema));
            return {};
          },
        },
        {
          method: 'GET',
          path: '/events',
          permission: bridgePermission,
          handler: async (call) => ({ events: eventsOf(deps.spool, call) }),
        },
        {
          method: 'POST',
          path: '/events/ack',
          permission: bridgePermission,
          handler: async (call) => {
            const { epoch, seq } = await call.readJson(eventAckSchema);
            await deps.spool.acknowledge(epoch, seq);
            return {};
          },
        },
      ],
      health: () => ({ status: 'healthy' }),
      stop: async () => undefined,
    }),
  };
}

/** From where the reader says it is (`Last-Event-ID: EPOCH:SEQ`, or the query), else from the first that waits. */
async function* eventsOf(spool: EventSpool, call: PluginCall): AsyncGenerator<ServerEvent> {
  const lastId = call.headers['last-event-id'];
  const [, lastEpoch, lastSeq] = /^(.+):(\d+)$/.exec(typeof lastId === 'string' ? lastId : '') ?? [];
  const epoch = lastEpoch ?? call.query.get('epoch') ?? undefined;
  const seq = Number(lastSeq ?? call.query.get('after') ?? 0);
  const from = { ...(epoch === undefined ? {} : { epoch }), seq: Number.isSafeInteger(seq) ? seq : 0 };
  for await (const event of spool.read(from, call.signal))
    yield { id: `${event.epoch}:${event.seq}`, event: event.topic, data: event };
}
