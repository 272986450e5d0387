/**
 * One plugin of an agent through its life: off, or running, or why not.
 *
 * I1. Only {@link PluginHost} calls the methods that change it, one after another.
 * I2. What runs has exactly one abort controller; stopping aborts it first, so that calls end at once.
 * I3. A start that takes too long is given up; should it finish later, it is stopped again.
 */
import { setMaxListeners } from 'node:events';
import type { PluginInfo } from '@gantry/contracts';
import { messageOf, withDeadline } from '@gantry/kernel';
import { type CallLimits, CallSlots } from './call-slots.js';
import type { AgentPlugin, PluginContext, RunningPlugin } from './ports.js';
import { RouteTable } from './route-table.js';
import { buildSessionRoutes, healthOf } from './session-routes.js';
import { Sessions } from './sessions.js';

/** What the request handler needs of a plugin that runs. */
export interface ServingPlugin {
  readonly name: string;
  readonly table: RouteTable;
  readonly slots: CallSlots;
  readonly sessions: Sessions;
  /** Aborts when the plugin stops. */
  readonly signal: AbortSignal;
}

interface Serving extends ServingPlugin {
  readonly running: RunningPlugin;
  readonly controller: AbortController;
  readonly permissions: readonly string[];
}

type Phase =
  | { readonly kind: 'running'; readonly serving: Serving }
  | { readonly kind: 'disabled' | 'unsupported' | 'failed'; readonly reason: string };

export type ContextFor = (config: unknown, signal: AbortSignal) => PluginContext;

export interface SlotLimits extends CallLimits {
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

export class PluginSlot {
  readonly plugin: AgentPlugin;
  readonly #limits: SlotLimits;
  readonly #contextFor: ContextFor;
  /** They outlive a restart of the plugin. */
  readonly #sessions: Sessions;
  #phase: Phase = { kind: 'disabled', reason: 'not started yet' };
  config: unknown;

  constructor(plugin: AgentPlugin, config: unknown, contextFor: ContextFor, limits: SlotLimits) {
    this.plugin = plugin;
    this.config = config;
    this.#contextFor = contextFor;
    this.#limits = limits;
    const probe = contextFor(config, new AbortController().signal);
    this.#sessions = new Sessions(probe.clock);
  }

  get serving(): ServingPlugin | undefined {
    return this.#phase.kind === 'running' ? this.#phase.serving : undefined;
  }

  get state(): Phase['kind'] {
    return this.#phase.kind;
  }

  get reason(): string | null {
    return this.#phase.kind === 'running' ? null : this.#phase.reason;
  }

  get running(): RunningPlugin | undefined {
    return this.#phase.kind === 'running' ? this.#phase.serving.running : undefined;
  }

  /** Never rejects: the state says how it went. */
  async start(): Promise<void> {
    const controller = new AbortController();
    // Each running call listens to it.
    setMaxListeners(0, controller.signal);
    const context = this.#contextFor(this.config, controller.signal);
    try {
      const supported = await withDeadline(
        (async () => this.plugin.isSupported(context))(),
        this.#limits.startTimeoutMs,
        `${this.plugin.name}: isSupported()`,
      );
      if (supported !== true) {
        this.#phase = { kind: 'unsupported', reason: supported };
        controller.abort();
        return;
      }
      const running = await this.#startWithin(context);
      this.#phase = { kind: 'running', serving: await this.#serveOrStop(running, controller, context) };
    } catch (error) {
      controller.abort();
      this.#phase = { kind: 'failed', reason: messageOf(error) };
    }
  }

  /** Never rejects. */
  async stop(reason: string, kind: 'disabled' | 'failed' = 'disabled'): Promise<void> {
    const phase = this.#phase;
    this.#phase = { kind, reason };
    if (phase.kind !== 'running') return;
    // I2
    phase.serving.controller.abort();
    await this.#stopRunning(phase.serving.running);
  }

  toInfo(): PluginInfo {
    const { name, aliases, version, ui } = this.plugin;
    const phase = this.#phase;
    const isRunning = phase.kind === 'running';
    return {
      name,
      aliases: [...aliases],
      version,
      state: phase.kind,
      reason: isRunning ? null : phase.reason,
      health: isRunning ? { ...healthOf(phase.serving.running) } : null,
      permissions: isRunning ? [...phase.serving.permissions] : [],
      ui: { ...ui },
    };
  }

  facts(): Record<string, unknown> {
    try {
      return { ...this.running?.facts?.() };
    } catch {
      // Facts are a courtesy; health tells what is wrong.
      return {};
    }
  }

  async #startWithin(context: PluginContext): Promise<RunningPlugin> {
    let isGivenUp = false;
    const starting = (async () => this.plugin.start(context))();
    starting.then(
      // I3
      (running) => (isGivenUp ? this.#stopRunning(running) : undefined),
      () => undefined,
    );
    try {
      return await withDeadline(starting, this.#limits.startTimeoutMs, `${this.plugin.name}: start()`);
    } catch (error) {
      isGivenUp = true;
      throw error;
    }
  }

  /** Routes that cannot be served are the plugin's fault, and it must not go on running without them. */
  async #serveOrStop(
    running: RunningPlugin,
    controller: AbortController,
    context: PluginContext,
  ): Promise<Serving> {
    try {
      return this.#serve(running, controller, context);
    } catch (error) {
      await this.#stopRunning(running);
      throw error;
    }
  }

  #serve(running: RunningPlugin, controller: AbortController, context: PluginContext): Serving {
    const common = buildSessionRoutes(this.plugin, running, this.#sessions, context.clock);
    const permissions = new Set(running.routes.map(({ permission }) => permission));
    permissions.delete('any');
    return {
      name: this.plugin.name,
      table: new RouteTable([...running.routes, ...common]),
      slots: new CallSlots(this.#limits),
      sessions: this.#sessions,
      signal: controller.signal,
      running,
      controller,
      permissions: [...permissions].sort((a, b) => a.localeCompare(b)),
    };
  }

  async #stopRunning(running: RunningPlugin): Promise<void> {
    await withDeadline(
      (async () => running.stop())(),
      this.#limits.stopTimeoutMs,
      `${this.plugin.name}: stop()`,
    ).catch(() => undefined);
  }
}
