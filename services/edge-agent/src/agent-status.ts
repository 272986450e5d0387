/** What an agent says of itself on its own machine, where it has no port: a file in its data folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AgentInfo, agentInfoSchema, nodeCredentialSchema } from '@gantry/contracts';
import { z } from 'zod';
import { findAgentProcess } from './core/state-folder.js';

export const agentStatusSchema = z.object({
  pid: z.number().int(),
  node: z.string(),
  version: z.string(),
  started_at: z.string(),
  bridge_url: z.string(),
  is_connected: z.boolean(),
  /** What ended the last attempt to connect; null while connected. Earlier agents do not say it. */
  not_connected_because: z.string().nullable().default(null),
  plugins: z.array(z.object({ name: z.string(), state: z.string(), reason: z.string().nullable() })),
  config: agentInfoSchema.shape.config,
  events: z.object({ waiting: z.number().int(), dropped_total: z.number().int() }),
});
export type AgentStatus = z.infer<typeof agentStatusSchema>;

export const statusPathIn = (dataDir: string): string => join(dataDir, 'status.json');

export function toStatus(
  { config, events, node, plugins, started_at, version }: AgentInfo,
  bridge: { readonly url: string; readonly isConnected: boolean; readonly whyNotConnected: string | null },
): AgentStatus {
  return {
    ...{ pid: process.pid, node, version, started_at, bridge_url: bridge.url },
    is_connected: bridge.isConnected,
    not_connected_because: bridge.whyNotConnected,
    plugins: plugins.map(({ name, reason, state }) => ({ name, state, reason })),
    config,
    events: { waiting: events.waiting, dropped_total: events.dropped_total },
  };
}

export interface AgentOnMachine {
  /** Of the agent that works in the folder; null when none does. */
  readonly pid: number | null;
  /** Of the node whose credential lies there; null when there is none. */
  readonly enrolled_as: string | null;
  /** What the agent that runs said last, some seconds old at most; null when none runs. */
  readonly status: AgentStatus | null;
}

/** Never fails for what is missing or damaged; a folder of another user looks empty. */
export async function readAgentStatus(dataDir: string): Promise<AgentOnMachine> {
  const pid = await findAgentProcess(dataDir);
  const status = await read(statusPathIn(dataDir), agentStatusSchema);
  const credential = await read(join(dataDir, 'credential.json'), nodeCredentialSchema);
  return {
    pid: pid ?? null,
    enrolled_as: credential?.name ?? null,
    // A file that an earlier process left says nothing.
    status: status !== undefined && status.pid === pid ? status : null,
  };
}

async function read<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}
