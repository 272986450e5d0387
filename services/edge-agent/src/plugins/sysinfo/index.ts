import { homedir } from 'node:os';
import { readEnvironment } from '@gantry/config';
import type { SysinfoMetrics, Vitals } from '@gantry/contracts';
import { messageOf } from '@gantry/kernel';
import type { AgentPlugin, PluginContext, PluginRoute, RunningPlugin } from '../../core/ports.js';
import { type SysinfoConfig, sysinfoConfigSchema } from './config.js';
import { gpuToolsOf } from './gpu/gpu-tools.js';
import { parseSince, readHostRole } from './host-role.js';
import { MetricsCollector } from './metrics-collector.js';
import { isWorthPushing, SampleRing, toVitals } from './vitals.js';

/** An answer may be this old: rates over less time than that say little. */
const reuseMs = 1000;

/** What the machine is and how it does; `vitals` is pushed when it changes. */
export const sysinfoPlugin: AgentPlugin<SysinfoConfig> = {
  name: 'sysinfo',
  aliases: [],
  version: '1.0.0',
  configSchema: sysinfoConfigSchema,
  ui: {
    icon: '📊',
    title: 'System information',
    description: 'Processors, memory, disks, network and graphics cards of the node.',
    refresh_button: true,
    monitors: [{ id: 'metrics', type: 'metrics', title: 'Metrics', auto_load: 'metrics' }],
    notifications: { topic: 'vitals' },
  },
  isSupported: async () => true,
  start: async (context) => new Sysinfo(context),
};

class Sysinfo implements RunningPlugin<SysinfoConfig> {
  readonly routes: readonly PluginRoute[];
  readonly #context: PluginContext<SysinfoConfig>;
  readonly #collector: MetricsCollector;
  readonly #ring: SampleRing;
  #config: SysinfoConfig;
  #timer: NodeJS.Timeout | undefined;
  #last: { metrics: SysinfoMetrics; atMs: number } | undefined;
  #collecting: Promise<SysinfoMetrics> | undefined;
  #sampled: SysinfoMetrics | undefined;
  #pushed: Vitals | undefined;
  #problem: string | undefined;

  constructor(context: PluginContext<SysinfoConfig>) {
    this.#context = context;
    this.#config = context.config;
    this.#ring = new SampleRing(capacityOf(context.config), context.config.historySeconds * 1000);
    this.#collector = new MetricsCollector({
      threads: context.threads,
      clock: context.clock,
      tools: () => gpuToolsOf(this.#config, readEnvironment),
    });
    const metrics = async () => ({ json: await this.#collect(reuseMs) });
    const get = (path: string, handler: PluginRoute['handler']): PluginRoute => ({
      method: 'GET',
      path,
      permission: 'sysinfo:read',
      handler,
    });
    this.routes = [
      get('/metrics', metrics),
      get('/metrics/:sid', metrics),
      get('/history', async ({ query }) => ({
        json: {
          interval_seconds: this.#config.intervalSeconds,
          samples: this.#ring.since(parseSince(query.get('since'))),
        },
      })),
      get('/homedir', async () => ({ json: { homedir: homedir() } })),
      get('/host_role', async () => ({ json: readHostRole() })),
    ];
    this.#restartTimer();
    void this.#sample();
  }

  configure(config: SysinfoConfig): void {
    this.#config = config;
    this.#ring.resize(capacityOf(config), config.historySeconds * 1000);
    this.#restartTimer();
  }

  health() {
    return this.#problem === undefined
      ? { status: 'healthy' as const }
      : { status: 'degraded' as const, detail: this.#problem };
  }

  facts(): Readonly<Record<string, unknown>> {
    const metrics = this.#last?.metrics;
    if (metrics === undefined) return {};
    return {
      hostname: metrics.system.hostname,
      os: metrics.system.platform,
      distribution: metrics.system.distribution,
      arch: metrics.system.arch,
      cpu_model: metrics.cpu.model,
      cpu_cores: metrics.cpu.cores_logical,
      memory_bytes: metrics.memory.total,
      gpus: metrics.gpus.map(({ vendor, name, mem_total }) => ({ vendor, name, memory_mib: mem_total })),
    };
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#collecting?.catch(() => undefined);
  }

  #restartTimer(): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => void this.#sample(), this.#config.intervalSeconds * 1000);
    this.#timer.unref();
  }

  /** Never rejects: the next one may succeed. */
  async #sample(): Promise<void> {
    try {
      const metrics = await this.#collect(0);
      // Two that waited for one slow collection make one sample.
      if (this.#context.signal.aborted || metrics === this.#sampled) return;
      this.#sampled = metrics;
      const vitals = toVitals(metrics);
      this.#ring.add(vitals);
      this.#problem =
        metrics.stale.length === 0 ? undefined : `could not be read: ${metrics.stale.join(', ')}`;
      if (!isWorthPushing(this.#pushed, vitals)) return;
      this.#pushed = vitals;
      this.#context.events.emit('vitals', vitals, { isState: true });
    } catch (error) {
      this.#problem = messageOf(error);
      this.#context.logger.warn('the machine could not be read', { error });
    }
  }

  /** One collection at a time; whoever asks meanwhile gets the same one. */
  #collect(maxAgeMs: number): Promise<SysinfoMetrics> {
    const nowMs = this.#context.clock.monotonicMs();
    if (this.#last !== undefined && nowMs - this.#last.atMs < maxAgeMs)
      return Promise.resolve(this.#last.metrics);
    this.#collecting ??= this.#collector
      .collect()
      .then((metrics) => {
        this.#last = { metrics, atMs: this.#context.clock.monotonicMs() };
        return metrics;
      })
      .finally(() => {
        this.#collecting = undefined;
      });
    return this.#collecting;
  }
}

const capacityOf = ({ historySeconds, intervalSeconds }: SysinfoConfig): number =>
  Math.max(1, Math.ceil(historySeconds / intervalSeconds));
