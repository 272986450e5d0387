/**
 * What the bridge itself wants of a connected agent: what it is, that it has its settings, and its events.
 *
 * I1. Runs as long as the holder is the one of its name, and tries again after every failure.
 * I2. An event is published once: what was published before a connection broke is skipped when it comes again, and is
 *     acknowledged after it was published.
 * I3. An agent learns a new key by the word of one that it knows, and is spoken to with the new one only after that.
 * I4. What an agent sends is read up to a bound: an answer in size and time, an event in size.
 */
import {
  type AgentConfigCheck,
  type AgentConfigDocument,
  type AgentEvent,
  type AgentInfo,
  agentConfigCheckSchema,
  agentEventSchema,
  agentInfoSchema,
  callerHeader,
} from '@gantry/contracts';
import { AppError, delay, fullJitterMs, hasCode, type Logger, messageOf } from '@gantry/kernel';
import type { BridgeKeys } from './bridge-keys.js';
import type { CallerStatements } from './caller-statements.js';
import type { EventHub } from './event-hub.js';
import type { LabelSettingsRecords } from './label-settings.js';
import type { NodeRecords } from './node-records.js';
import type { Holder, NodeRegistry } from './node-registry.js';
import { readAnswerBody } from './read-answer-body.js';
import { readServerEvents } from './read-server-events.js';
import { noSettings, resolveInForce } from './settings-in-force.js';

export interface AgentFeedDeps {
  readonly registry: Pick<NodeRegistry, 'report'>;
  readonly records: NodeRecords;
  readonly labelSettings: Pick<LabelSettingsRecords, 'all'>;
  readonly statements: CallerStatements;
  readonly keys: Pick<BridgeKeys, 'current'>;
  readonly hub: EventHub;
  readonly logger: Logger;
}

/** Who the bridge is to its agents. */
const bridgeUser = 'bridge';
const bridgeRights = ['agent:bridge', 'agent:read'];
const callTimeoutMs = 15_000;
/** Of an answer; what a node says of itself is cut further. */
const maxAnswerBytes = 1024 * 1024;
const ackEvery = 100;
const ackDelayMs = 250;
const maxKeptPositions = 10_000;

export class AgentFeeds {
  readonly #deps: AgentFeedDeps;
  readonly #running = new Map<string, { readonly holder: Holder; readonly abort: AbortController }>();
  readonly #teaching = new WeakMap<Holder, Promise<void>>();
  /** The last event that was published, by node. */
  readonly #positions = new Map<string, { readonly epoch: string; readonly seq: number }>();

  constructor(deps: AgentFeedDeps) {
    this.#deps = deps;
  }

  begin(holder: Holder): void {
    this.#running.get(holder.name)?.abort.abort();
    const abort = new AbortController();
    this.#running.set(holder.name, { holder, abort });
    void this.#run(holder, abort.signal);
  }

  end(holder: Holder): void {
    const running = this.#running.get(holder.name);
    if (running?.holder !== holder) return;
    this.#running.delete(holder.name);
    running.abort.abort();
  }

  /** Hands the node its settings when it is there; else it gets them when it connects. */
  async pushSettings(name: string): Promise<void> {
    const running = this.#running.get(name);
    if (running !== undefined) await this.#configure(running.holder, undefined, running.abort.signal);
  }

  /**
   * Settings that another bridge changed, and a key whose teaching was not answered: an agent may have taken it, and
   * would believe the older one for two minutes only. Never throws.
   */
  async catchUp(name: string): Promise<void> {
    const running = this.#running.get(name);
    if (running === undefined) return;
    await this.#teach(running.holder, running.abort.signal);
    const report = this.#deps.records.peek(name)?.report;
    if (report === undefined) return;
    await this.#configure(running.holder, report, running.abort.signal).catch((error: unknown) => {
      this.#deps.logger.debug('settings were not sent', { node: name, reason: messageOf(error) });
    });
  }

  /** What the node would say to a document. Undefined when it is not there. @throws {AppError} node-failed, and others */
  async checkSettings(name: string, document: AgentConfigDocument): Promise<AgentConfigCheck | undefined> {
    const running = this.#running.get(name);
    if (running === undefined) return undefined;
    const { abort, holder } = running;
    const answer = await this.#call(holder, 'POST', '/agent/config/check', abort.signal, document);
    return agentConfigCheckSchema.parse(answer);
  }

  /** Tells every connected agent which key signs by now; others learn it when they connect. Never throws. */
  async teachAll(): Promise<void> {
    const all = [...this.#running.values()];
    await Promise.all(all.map(({ holder, abort }) => this.#teach(holder, abort.signal)));
  }

  /** I1 */
  async #run(holder: Holder, signal: AbortSignal): Promise<void> {
    let attempt = 0;
    while (!signal.aborted) {
      try {
        const info = agentInfoSchema.parse(await this.#call(holder, 'GET', '/agent/info', signal));
        await this.#deps.registry.report(holder, info);
        await this.#teach(holder, signal);
        await this.#configure(holder, info, signal);
        await this.#follow(holder, signal);
        attempt = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#deps.logger.debug('the feed of a node broke off', {
          node: holder.name,
          reason: messageOf(error),
        });
      }
      await delay(500 + fullJitterMs(attempt, 500, 10_000), signal).catch(() => undefined);
      attempt += 1;
    }
  }

  /** I3. One after the other, so that both sides agree on which was the last. */
  async #teach(holder: Holder, signal: AbortSignal): Promise<void> {
    const before = this.#teaching.get(holder) ?? Promise.resolve();
    const turn = before.then(() => this.#teachNow(holder, signal));
    this.#teaching.set(holder, turn);
    await turn;
  }

  async #teachNow(holder: Holder, signal: AbortSignal): Promise<void> {
    const { id, publicKey } = this.#deps.keys.current;
    if (holder.keyIds === undefined || (holder.keyIds.length === 1 && holder.keyIds[0] === id)) return;
    try {
      await this.#call(holder, 'PUT', '/agent/keys', signal, [{ id, public_key: publicKey }]);
      holder.keyIds = [id];
    } catch (error) {
      if (signal.aborted) return;
      // It is told again soon (catchUp); until then what it knows goes on to sign.
      this.#deps.logger.warn('a node did not take the key of the bridge', {
        node: holder.name,
        reason: messageOf(error),
      });
    }
  }

  async #configure(holder: Holder, info: AgentInfo | undefined, signal: AbortSignal): Promise<void> {
    const record = await this.#deps.records.find(holder.name);
    const inForce = resolveInForce(record, await this.#deps.labelSettings.all()) ?? noSettings;
    const { disabled, plugins, revision } = inForce;
    const settings = { disabled, plugins, revision };
    // Without any it goes back to what it begins with.
    if (info !== undefined && (info.config.revision ?? noSettings.revision) === settings.revision) return;
    // A document that the node refused is not sent again and again.
    if (info?.config.refused?.revision === settings.revision) return;
    try {
      const after = await this.#call(holder, 'PUT', '/agent/config', signal, settings);
      await this.#deps.registry.report(holder, agentInfoSchema.parse(after));
    } catch (error) {
      if (!hasCode(error, 'node-failed')) throw error;
      this.#deps.logger.warn('a node refused its settings', { node: holder.name, reason: messageOf(error) });
    }
  }

  async #follow(holder: Holder, signal: AbortSignal): Promise<void> {
    const known = this.#positions.get(holder.name);
    const query = known === undefined ? '' : `?epoch=${encodeURIComponent(known.epoch)}&after=${known.seq}`;
    const answer = await holder.link.request({
      method: 'GET',
      path: `/agent/events${query}`,
      headers: this.#headers(holder),
      signal,
      timeoutMs: callTimeoutMs,
    });
    if (answer.status !== 200) {
      answer.body.destroy();
      throw new Error(`/agent/events was answered with ${answer.status}`);
    }
    const acks = new Acknowledgements((event) => this.#acknowledge(holder, event, signal));
    try {
      for await (const text of readServerEvents(answer.body)) {
        const parsed = agentEventSchema.safeParse(JSON.parse(text));
        if (!parsed.success) continue;
        await this.#take(holder, parsed.data);
        acks.add(parsed.data);
      }
    } finally {
      acks.stop();
    }
  }

  /** I2 */
  async #take(holder: Holder, event: AgentEvent): Promise<void> {
    const known = this.#positions.get(holder.name);
    if (known?.epoch === event.epoch && event.seq <= known.seq) return;
    if (event.plugin === 'agent' && event.topic === 'info') {
      const info = agentInfoSchema.safeParse(event.data);
      if (info.success) await this.#deps.registry.report(holder, info.data);
    } else this.#deps.hub.publish({ kind: 'event', node: holder.name, event });
    this.#positions.delete(holder.name);
    this.#positions.set(holder.name, { epoch: event.epoch, seq: event.seq });
    for (const oldest of this.#positions.keys()) {
      if (this.#positions.size <= maxKeptPositions) break;
      this.#positions.delete(oldest);
    }
  }

  async #acknowledge(holder: Holder, { epoch, seq }: AgentEvent, signal: AbortSignal): Promise<void> {
    try {
      await this.#call(holder, 'POST', '/agent/events/ack', signal, { epoch, seq });
    } catch (error) {
      // They stay in the spool of the agent, and come again with the next connection.
      if (!signal.aborted)
        this.#deps.logger.debug('events were not acknowledged', {
          node: holder.name,
          reason: messageOf(error),
        });
    }
  }

  async #call(
    holder: Holder,
    method: string,
    path: string,
    signal: AbortSignal,
    body?: unknown,
  ): Promise<unknown> {
    const answer = await holder.link.request({
      method,
      path,
      headers: {
        ...this.#headers(holder),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
      timeoutMs: callTimeoutMs,
    });
    const bounds = { maxBytes: maxAnswerBytes, timeoutMs: callTimeoutMs };
    const text = (await readAnswerBody(answer.body, bounds)).toString('utf8'); // I4
    if (answer.status >= 300)
      throw new AppError(
        'node-failed',
        `${method} ${path} was answered with ${answer.status}: ${text.slice(0, 300)}`,
      );
    return text === '' ? undefined : JSON.parse(text);
  }

  #headers({ name }: Holder) {
    return { [callerHeader]: this.#deps.statements.stateOf(name, bridgeUser, bridgeRights) };
  }
}

/** The last event of a batch, acknowledged soon. */
class Acknowledgements {
  readonly #send: (event: AgentEvent) => Promise<void>;
  #last: AgentEvent | undefined;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (event: AgentEvent) => Promise<void>) {
    this.#send = send;
  }

  add(event: AgentEvent): void {
    this.#last = event;
    this.#count += 1;
    if (this.#count >= ackEvery) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), ackDelayMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#count = 0;
    if (this.#last !== undefined) void this.#send(this.#last);
  }
}
