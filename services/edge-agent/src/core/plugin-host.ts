/**
 * The plugins of one agent.
 *
 * I1. Changes (start, new settings, stop) happen one after another; calls go on meanwhile.
 * I2. A document of settings takes effect as a whole or not at all: it is checked for every plugin first, and when a
 *     plugin refuses what it is handed, the ones that took theirs get the old ones back.
 * I3. What took effect is on the disk, so that a restart without the bridge begins with it.
 * I4. A plugin that failed is started again with growing pauses, for ever; it never keeps the others from running.
 */
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { AgentConfigCheck, AgentConfigDocument, PluginInfo } from '@gantry/contracts';
import { AppError, type Clock, fullJitterMs, type Logger, messageOf } from '@gantry/kernel';
import type { AgentMetrics } from './agent-metrics.js';
import {
  checkDocument,
  emptyDocument,
  type LocalSettings,
  type PluginSettings,
  parseDocument,
  resolveSettings,
} from './plugin-settings.js';
import { PluginSlot, type ServingPlugin, type SlotLimits } from './plugin-slot.js';
import type { AgentPlugin, PluginContext } from './ports.js';
import { replaceFile } from './state-folder.js';

export interface PluginHostOptions {
  readonly plugins: readonly AgentPlugin[];
  readonly local: LocalSettings;
  /** Where the document that is in force is kept. */
  readonly documentPath: string;
  readonly contextFor: (plugin: AgentPlugin, config: unknown, signal: AbortSignal) => PluginContext;
  readonly limits: SlotLimits;
  readonly retry: { readonly baseMs: number; readonly maxMs: number };
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called after every change of what runs. */
  readonly onChange: () => void;
}

export interface ConfigState {
  readonly revision: number | null;
  readonly refused: { readonly revision: number; readonly reason: string } | null;
}

export class PluginHost {
  readonly #options: PluginHostOptions;
  readonly #slots: readonly PluginSlot[];
  readonly #byName = new Map<string, PluginSlot>();
  readonly #retries = new Map<string, { attempt: number; timer: NodeJS.Timeout }>();
  #document: AgentConfigDocument = emptyDocument;
  #config: ConfigState = { revision: null, refused: null };
  #queue: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  /**
   * @throws {Error} when two plugins claim one name
   * @throws {AppError} invalid-request: the settings of the machine itself are not valid
   */
  constructor(options: PluginHostOptions) {
    this.#options = options;
    const settings = resolveSettings(options.plugins, options.local, emptyDocument);
    this.#slots = options.plugins.map((plugin) => {
      const contextFor = (config: unknown, signal: AbortSignal) => options.contextFor(plugin, config, signal);
      return new PluginSlot(plugin, settings.get(plugin.name)?.config, contextFor, options.limits);
    });
    for (const slot of this.#slots)
      for (const name of [slot.plugin.name, ...slot.plugin.aliases]) {
        if (this.#byName.has(name)) throw new Error(`Two plugins are called ${name}`);
        this.#byName.set(name, slot);
      }
  }

  /** Starts what is not disabled, with the last document that took effect. Never rejects for a plugin's sake. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      const settings = await this.#loadDocument();
      for (const slot of this.#slots) slot.config = settings.get(slot.plugin.name)?.config;
      await Promise.all(
        this.#slots.map(async (slot) => {
          if (settings.get(slot.plugin.name)?.isDisabled === true)
            await slot.stop('disabled by the settings');
          else await this.#startSlot(slot);
        }),
      );
      this.#options.onChange();
    });
  }

  /**
   * Puts a document of settings in force.
   * @throws {AppError} invalid-request with the reasons; the old one stays in force then (I2)
   */
  configure(document: unknown): Promise<void> {
    return this.#inTurn(async () => {
      const parsed = parseDocument(document);
      try {
        await this.#apply(parsed);
      } catch (error) {
        this.#config = {
          ...this.#config,
          refused: { revision: parsed.revision, reason: messageOf(error).slice(0, 1000) },
        };
        this.#options.onChange();
        throw error;
      }
    });
  }

  /** What a document would meet with, without taking it. @throws {AppError} invalid-request: it is none */
  check(document: unknown): AgentConfigCheck {
    return checkDocument(this.#options.plugins, this.#options.local, parseDocument(document));
  }

  /** @throws {AppError} plugin-not-found with the reason why it is not there, plugin-unavailable */
  find(name: string): ServingPlugin {
    const slot = this.#byName.get(name);
    if (slot === undefined)
      throw new AppError('plugin-not-found', `This node has no plugin "${name.slice(0, 64)}"`);
    const { serving } = slot;
    if (serving !== undefined) return serving;
    const code = slot.state === 'failed' ? 'plugin-unavailable' : 'plugin-not-found';
    throw new AppError(code, `The plugin ${slot.plugin.name} does not run here: ${slot.reason}`);
  }

  list(): readonly PluginInfo[] {
    return this.#slots.map((slot) => slot.toInfo());
  }

  facts(): Record<string, Record<string, unknown>> {
    return Object.fromEntries(
      this.#slots.flatMap((slot) => {
        const facts = slot.facts();
        return Object.keys(facts).length === 0 ? [] : [[slot.plugin.name, facts]];
      }),
    );
  }

  get config(): ConfigState {
    return this.#config;
  }

  /** For code that fails outside of any call: the plugin is stopped and started again later. */
  fail(name: string, reason: string): Promise<void> {
    return this.#inTurn(async () => {
      const slot = this.#byName.get(name);
      if (slot === undefined || slot.state !== 'running') return;
      await slot.stop(reason, 'failed');
      this.#report(slot);
      this.#options.onChange();
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
    this.#retries.clear();
    await this.#inTurn(async () => {
      await Promise.all(this.#slots.map((slot) => slot.stop('the agent stops')));
    });
  }

  /** I1 */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #apply(document: AgentConfigDocument): Promise<void> {
    const settings = resolveSettings(this.#options.plugins, this.#options.local, document);
    this.#configureRunning(settings);
    const isWanted = (slot: PluginSlot) => settings.get(slot.plugin.name)?.isDisabled !== true;
    await Promise.all(
      this.#slots.map(async (slot) => {
        const config = settings.get(slot.plugin.name)?.config;
        const isChanged = !isDeepStrictEqual(slot.config, config);
        slot.config = config;
        if (!isWanted(slot)) {
          this.#forgetRetry(slot);
          await slot.stop('disabled by the settings');
        } else if (slot.state !== 'running') {
          await this.#startSlot(slot);
        } else if (isChanged && slot.running?.configure === undefined) {
          await slot.stop('new settings');
          await this.#startSlot(slot);
        }
      }),
    );
    this.#document = document;
    this.#config = { revision: document.revision, refused: null };
    await this.#saveDocument();
    this.#options.onChange();
  }

  /** I2 */
  #configureRunning(settings: ReadonlyMap<string, PluginSettings>): void {
    const done: PluginSlot[] = [];
    for (const slot of this.#slots) {
      const wanted = settings.get(slot.plugin.name);
      if (slot.running?.configure === undefined || wanted === undefined || wanted.isDisabled) continue;
      if (isDeepStrictEqual(slot.config, wanted.config)) continue;
      try {
        slot.running.configure(wanted.config);
        done.push(slot);
      } catch (error) {
        for (const earlier of [...done, slot]) this.#restore(earlier);
        const detail = messageOf(error);
        throw new AppError(
          'invalid-request',
          `The plugin ${slot.plugin.name} refuses its settings: ${detail}`,
          {
            errors: [{ pointer: `/plugins/${slot.plugin.name}`, detail }],
            cause: error,
          },
        );
      }
    }
  }

  #restore(slot: PluginSlot): void {
    try {
      slot.running?.configure?.(slot.config);
    } catch (error) {
      this.#options.logger.error('a plugin refuses the settings that it had', {
        plugin: slot.plugin.name,
        error,
      });
    }
  }

  async #startSlot(slot: PluginSlot): Promise<void> {
    if (this.#isStopped) return;
    await slot.start();
    this.#report(slot);
    if (slot.state === 'running') this.#forgetRetry(slot);
  }

  #report(slot: PluginSlot): void {
    const { logger, metrics } = this.#options;
    const isRunning = slot.state === 'running';
    metrics.pluginState(slot.plugin.name, isRunning);
    const fields = { op: 'plugin.start', plugin: slot.plugin.name, outcome: slot.state, reason: slot.reason };
    if (slot.state !== 'failed') logger.info('plugin', fields);
    else {
      logger.warn('a plugin does not run', fields);
      this.#retryLater(slot);
    }
  }

  /** I4 */
  #retryLater(slot: PluginSlot): void {
    if (this.#isStopped) return;
    const { baseMs, maxMs } = this.#options.retry;
    const attempt = (this.#retries.get(slot.plugin.name)?.attempt ?? -1) + 1;
    this.#forgetTimer(slot);
    const timer = setTimeout(
      () => {
        void this.#inTurn(async () => {
          if (slot.state !== 'failed') return;
          await this.#startSlot(slot);
          this.#options.onChange();
        });
      },
      baseMs / 2 + fullJitterMs(attempt, baseMs, maxMs),
    );
    timer.unref();
    this.#retries.set(slot.plugin.name, { attempt, timer });
  }

  #forgetTimer(slot: PluginSlot): void {
    clearTimeout(this.#retries.get(slot.plugin.name)?.timer);
  }

  #forgetRetry(slot: PluginSlot): void {
    this.#forgetTimer(slot);
    this.#retries.delete(slot.plugin.name);
  }

  async #loadDocument(): Promise<ReadonlyMap<string, PluginSettings>> {
    const { plugins, local, documentPath, logger } = this.#options;
    try {
      const document = parseDocument(JSON.parse(await readFile(documentPath, 'utf8')));
      const settings = resolveSettings(plugins, local, document);
      this.#document = document;
      this.#config = { revision: document.revision, refused: null };
      return settings;
    } catch (error) {
      // A first start, or a document of another version: the bridge sends it again.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        logger.warn('the settings that were kept cannot be used', { path: documentPath, error });
      return resolveSettings(plugins, local, emptyDocument);
    }
  }

  /** I3 */
  async #saveDocument(): Promise<void> {
    try {
      await replaceFile(this.#options.documentPath, `${JSON.stringify(this.#document)}\n`);
    } catch (error) {
      this.#options.logger.error('the settings are in force, but cannot be kept for a restart', { error });
    }
  }
}
