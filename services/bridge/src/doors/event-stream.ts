/**
 * Events as server-sent events: ours with ids, and those that clients of RADICAL Edge read.
 *
 * I1. A reader that does not read stops its own stream only; what waits for it is bounded by the hub.
 * I2. A line goes out every 15 seconds, so that both sides learn of a dead connection.
 * I3. A stream ends when the token of its reader is no longer in force.
 */
import type { ServerResponse } from 'node:http';
import type { AgentEvent } from '@gantry/contracts';
import type { BridgeDeps } from '../deps.js';
import type { HubItem } from '../usecases/event-hub.js';
import { listEdges } from '../usecases/list-edges.js';
import type { Caller } from '../usecases/open-streams.js';

const keepAliveMs = 15_000;

export interface EventFilter {
  readonly node?: string | undefined;
  readonly plugin?: string | undefined;
  readonly topic?: string | undefined;
}

type StreamDeps = Pick<BridgeDeps, 'hub' | 'registry' | 'records' | 'streams'>;

/** `GET /v1/events`. @throws {AppError} too-many-concurrent before anything was written */
export async function streamEvents(
  { hub, streams }: StreamDeps,
  caller: Caller,
  response: ServerResponse,
  options: { readonly filter: EventFilter; readonly lastId: string | undefined },
): Promise<void> {
  const { filter, lastId } = options;
  await stream(
    ...([streams, caller, response] as const),
    (signal) => hub.read(caller.principal, { lastId, node: filter.node, signal }),
    '',
    ({ id, value }) => {
      if (!passes(filter, value)) return '';
      return `${id === undefined ? '' : `id: ${id}\n`}event: ${value.kind}\ndata: ${JSON.stringify(value)}\n\n`;
    },
  );
}

/** `GET /events`: the topology first and after every change, and notifications. @throws {AppError} too-many-concurrent */
export async function streamOriginalEvents(
  deps: StreamDeps,
  caller: Caller,
  response: ServerResponse,
): Promise<void> {
  const { principal } = caller;
  const topology = () => {
    const edges = listEdges(deps, principal).map(({ name, plugins }) => [
      name,
      { plugins: [...plugins.keys()] },
    ]);
    return toOriginal('topology', { edges: Object.fromEntries(edges) as unknown });
  };
  await stream(
    ...([deps.streams, caller, response] as const),
    (signal) => deps.hub.read(principal, { signal }),
    topology(),
    ({ value }) => {
      if (value.kind === 'node') return topology();
      if (value.kind === 'gap') return '';
      return namesOf(deps, value.node, value.event)
        .map((plugin) => {
          const { data, topic } = value.event;
          return toOriginal('notification', { edge: value.node, plugin, topic, data });
        })
        .join('');
    },
  );
}

/** A client registers its callbacks under the name that it called the plugin by. */
function namesOf({ records }: StreamDeps, node: string, { plugin }: AgentEvent): readonly string[] {
  const known = records.peek(node)?.report?.plugins.find(({ name }) => name === plugin);
  return [plugin, ...(known?.aliases ?? [])];
}

const toOriginal = (topic: string, data: unknown) => `data: ${JSON.stringify({ topic, data })}\n\n`;

function passes({ node, plugin, topic }: EventFilter, value: HubItem['value']): boolean {
  if (value.kind === 'gap') return true;
  if (node !== undefined && node !== value.node) return false;
  if (value.kind === 'node') return plugin === undefined && topic === undefined;
  return (
    (plugin ?? value.event.plugin) === value.event.plugin &&
    (topic ?? value.event.topic) === value.event.topic
  );
}

async function stream(
  streams: StreamDeps['streams'],
  caller: Caller,
  response: ServerResponse,
  open: (signal: AbortSignal) => AsyncGenerator<HubItem>,
  first: string,
  toText: (item: HubItem) => string,
): Promise<void> {
  const leaving = new AbortController();
  response.once('close', () => leaving.abort());
  const items = open(leaving.signal);
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-accel-buffering': 'no',
  });
  response.write(first === '' ? ':\n\n' : first);
  const timer = setInterval(() => {
    if (!response.writableNeedDrain) response.write(':\n\n'); // I2
  }, keepAliveMs);
  const leave = streams.watch({ caller, node: undefined, end: () => void response.destroy() }); // I3
  try {
    for await (const item of items) {
      const text = toText(item);
      if (text !== '' && !response.write(text)) await drained(response, leaving.signal); // I1
    }
  } finally {
    leave();
    clearInterval(timer);
    response.end();
  }
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    response.once('drain', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
