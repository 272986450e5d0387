import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { AppError } from '@gantry/kernel';
import { z } from 'zod';
import type { AgentPlugin, PluginCall, PluginContext, PluginReply, PluginRoute } from '../core/ports.js';

/** A plugin that does whatever a test wants, also what no plugin should. */
export interface ProbePlugin extends AgentPlugin<ProbeConfig> {
  readonly seen: {
    starts: number;
    stops: number;
    configs: ProbeConfig[];
    context: PluginContext<ProbeConfig>;
  };
}

const configSchema = z.strictObject({
  word: z.string().default('hello'),
  refuse: z.boolean().default(false),
});
type ProbeConfig = z.infer<typeof configSchema>;

export interface ProbeOptions {
  readonly name?: string;
  readonly aliases?: readonly string[];
  readonly routes?: readonly PluginRoute[];
  readonly isSupported?: () => Promise<true | string>;
  /** Runs before each start; throwing makes it fail. */
  readonly onStart?: (count: number) => Promise<void>;
  readonly isReconfigurable?: boolean;
}

const spinModule = new URL('./spin.worker.js', import.meta.url);

export function probePlugin(options: ProbeOptions = {}): ProbePlugin {
  const { name = 'probe', aliases = [], isReconfigurable = true } = options;
  const seen = { starts: 0, stops: 0, configs: [] as ProbeConfig[] } as ProbePlugin['seen'];
  return {
    name,
    aliases,
    version: '1.2.3',
    configSchema,
    seen,
    isSupported: options.isSupported ?? (async () => true),
    start: async (context) => {
      seen.starts += 1;
      seen.context = context;
      await options.onStart?.(seen.starts);
      let { config } = context;
      return {
        routes: [
          ...misbehaving(name, context, () => config),
          ...straying(name, () => seen.starts),
          ...(options.routes ?? []),
        ],
        ...(isReconfigurable
          ? {
              configure: (changed: ProbeConfig) => {
                if (changed.refuse) throw new Error('I do not like that');
                seen.configs.push(changed);
                config = changed;
              },
            }
          : {}),
        health: () => ({ status: 'healthy' }),
        facts: () => ({ word: config.word }),
        stop: async () => {
          seen.stops += 1;
        },
      };
    },
  };
}

function misbehaving(
  name: string,
  context: PluginContext<ProbeConfig>,
  config: () => ProbeConfig,
): readonly PluginRoute[] {
  const get = (
    path: string,
    handler: (call: PluginCall) => Promise<PluginReply>,
    timeoutMs?: number,
  ): PluginRoute => ({
    method: 'GET',
    path,
    permission: `${name}:read`,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    handler,
  });
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  return [
    get('/word', async () => ({ json: { word: config().word } })),
    get('/echo/:value', async ({ params, query, mountedAs }) => ({
      json: { value: params['value'], query: [...query], mountedAs },
    })),
    get('/rest/:rest*', async ({ params }) => ({ json: { rest: params['rest'] } })),
    get('/throws', () => {
      throw new Error('secret text');
    }),
    get('/rejects', async () => Promise.reject(new Error('secret text'))),
    get('/refuses', async () => Promise.reject(new AppError('file-exists', 'it is there'))),
    get('/circular', async () => ({ json: circular })),
    get('/bad-status', async () => ({ status: 99, json: {} })),
    get('/bad-header', async () => ({ headers: { 'x-a': 'a\r\nx-b: b' }, json: {} })),
    get('/never', () => new Promise(() => undefined), 150),
    get('/early-failure', async () => ({ stream: Readable.from(failing(0)) })),
    get('/late-failure', async () => ({ stream: Readable.from(failing(3)) })),
    get('/endless', async () => ({ stream: Readable.from(endless(), { objectMode: false }) })),
    get('/spin', async ({ signal, query }) => ({
      json: {
        value: await context.threads.run<number>(spinModule, Number(query.get('ms') ?? 60_000), {
          timeoutMs: 400,
          signal,
        }),
      },
    })),
    {
      method: 'POST',
      path: '/read',
      permission: `${name}:write`,
      maxBodyBytes: 1000,
      handler: async (call) => ({ json: await call.readJson(z.strictObject({ n: z.number() })) }),
    },
    {
      method: 'POST',
      path: '/session/:sid',
      permission: `${name}:read`,
      handler: async ({ session }) => ({ json: { user: session?.user } }),
    },
  ];
}

/** Routes that fail after they answered, where no call hears of it. */
function straying(name: string, starts: () => number): readonly PluginRoute[] {
  const ways: Record<string, () => void> = {
    timer: () => {
      setTimeout(() => {
        throw new Error('stray');
      }, 1);
    },
    promise: () => {
      setImmediate(() => void Promise.reject(new Error('stray')));
    },
    emitter: () => {
      setImmediate(() => new EventEmitter().emit('error', new Error('stray')));
    },
  };
  const permission = `${name}:read`;
  return [
    { method: 'GET', path: '/starts', permission, handler: async () => ({ json: { starts: starts() } }) },
    {
      method: 'GET',
      path: '/stray/:way',
      permission,
      handler: async ({ params }) => {
        ways[params['way'] ?? '']?.();
        return {};
      },
    },
  ];
}

async function* failing(after: number): AsyncGenerator<Buffer> {
  for (let count = 0; count < after; count += 1) yield Buffer.alloc(70_000, 'a');
  throw new Error('the disk is gone');
}

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) yield Buffer.alloc(65_536);
}
