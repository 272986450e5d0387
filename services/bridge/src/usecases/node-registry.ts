/**
 * Which nodes are connected to this bridge, and under which lease.
 * Stages of a name: free → held (lease epoch n) → lost, or taken over (epoch n + 1).
 *
 * I1. A name has one holder: one agent process. Another takes it over only with the credential in force, and the epoch
 *     of the store decides: the older holder's connections end before the newer one's requests begin.
 * I2. Claims, revocations and removals of one name happen one after the other.
 * I3. A holder whose lease is no longer the newest in the store is closed within `touchMs`, also when another bridge
 *     gave the newer one.
 * I4. A link that ended is never handed out, and its end is told once.
 */
import type { AgentInfo } from '@gantry/contracts';
import { AppError, type Clock, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { EdgeNode, LeaseHolder, NodeStore } from '@gantry/store';
import type { Tunnel } from '@gantry/tunnel';
import type { AuditLog, NodeLink } from '../ports.js';
import { boundReport } from './bound-report.js';
import { unreachableHere } from './holder-elsewhere.js';
import type { NodeRecords } from './node-records.js';
import { TunnelLink } from './tunnel-link.js';

export interface Claim {
  readonly name: string;
  /** Null: joins without one, in open mode. */
  readonly credentialId: string | null;
  /** Of the process that connects: its further connections join the first. */
  readonly instance: string;
  readonly address: string;
  /** Ids of the keys of bridges that it knows; undefined: it did not say. */
  readonly keyIds?: readonly number[] | undefined;
}

export interface Holder {
  readonly name: string;
  readonly instance: string;
  readonly leaseEpoch: number;
  readonly link: NodeLink;
  readonly connectedAtMs: number;
  /** As in its claim, or taught since. */
  keyIds: readonly number[] | undefined;
}

export interface NodeRegistryDeps {
  readonly nodes: Pick<NodeStore, 'acquireLease' | 'releaseLease' | 'touch' | 'saveReport'>;
  /** Who this bridge is to the others of its store. */
  readonly self: () => LeaseHolder;
  readonly records: NodeRecords;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onJoined: (holder: Holder) => void;
  readonly onLost: (holder: Holder, reason: string) => void;
  /** Its record was read again: another bridge may have changed it. */
  readonly onTouched?: (holder: Holder) => void;
  /** Others run there than were known before. */
  readonly onPluginsChanged?: (holder: Holder) => void;
  readonly touchMs?: number;
}

const defaultTouchMs = 20_000;
const drainMs = 1500;
const firstConnectionMs = 1000;
/** Longer than an agent takes to dial again at once. */
const checkMs = 1500;
const noLease = 'the lease is no longer in force';

export class NodeRegistry implements Part {
  readonly name = 'node registry';
  readonly #deps: NodeRegistryDeps;
  readonly #holders = new Map<string, Holder>();
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Further connections that came before the first one, by instance. */
  readonly #firsts = new Map<string, Set<() => void>>();
  readonly #giving = new Set<Promise<unknown>>();
  #timer: NodeJS.Timeout | undefined;
  #touching: Promise<void> | undefined;
  #isStopping = false;

  constructor(deps: NodeRegistryDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#touching ??= this.#touchAll().finally(() => {
        this.#touching = undefined;
      });
    }, this.#deps.touchMs ?? defaultTouchMs);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    await Promise.all(
      this.holders.map(async (holder) => {
        await holder.link.drain({ graceMs: drainMs });
        this.#lost(holder, 'the bridge is stopping');
      }),
    );
    await this.#touching;
    await Promise.all(this.#giving);
  }

  get holders(): readonly Holder[] {
    return [...this.#holders.values()];
  }

  holderOf(name: string): Holder | undefined {
    return this.#holders.get(name);
  }

  /**
   * The way to a node. Its record is read every two seconds, so that what another bridge of the store did (a newer
   * lease, a revocation) ends a holder here long before its next turn of I3.
   * @throws {AppError} node-unreachable, node-elsewhere
   */
  linkOf(record: EdgeNode): NodeLink {
    const holder = this.#holders.get(record.name);
    if (holder !== undefined && holder.leaseEpoch >= record.leaseEpoch) return holder.link;
    if (holder !== undefined) this.disconnect(record.name, noLease);
    throw unreachableHere(record, this.#deps.self().bridgeId, this.#deps.clock.now());
  }

  /** A connection of our own agent. The tunnel is closed when it is refused. @throws {AppError} invalid-service-credential */
  async claimTunnel(claim: Claim, slot: number, tunnel: Tunnel): Promise<void> {
    try {
      if (slot > 0) await this.#untilFirst(claim);
      await this.#inTurn(claim.name, async () => {
        const current = this.#holders.get(claim.name);
        const isSame = current?.instance === claim.instance && current.link instanceof TunnelLink;
        if (!isSame && slot > 0)
          throw new AppError('node-unreachable', 'The first connection of the agent is not here');
        if (isSame && (await this.#isInForce(claim))) {
          current.link.add(slot, tunnel);
          return;
        }
        let holder: Holder | undefined;
        const link = new TunnelLink(claim.name, {
          empty: (reason) => this.#lost(holder, reason),
          thinned: () => this.#checkSoon(() => holder),
        });
        // Before the lease: a connection that ended meanwhile must not take the name over.
        link.add(slot, tunnel);
        if (!link.isOpen) throw new AppError('node-unreachable', 'The connection has ended already');
        holder = await this.#hold(claim, link);
      });
    } catch (error) {
      tunnel.close(messageOf(error));
      throw error;
    }
  }

  /**
   * Waits a little for the first connection of the agent. It decides where all of them go: if each took the name for
   * itself, a load balancer that spreads them over several bridges would make these take the node from each other.
   */
  async #untilFirst({ instance, name }: Claim): Promise<void> {
    if (this.#holders.get(name)?.instance === instance) return;
    const wakers = this.#firsts.get(instance) ?? new Set();
    this.#firsts.set(instance, wakers);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, firstConnectionMs);
      function done() {
        clearTimeout(timer);
        wakers.delete(done);
        resolve();
      }
      wakers.add(done);
    });
    if (wakers.size === 0) this.#firsts.delete(instance);
  }

  /** Any other kind of link, which is closed when it is refused. @throws {AppError} invalid-service-credential */
  async claim(claim: Claim, link: NodeLink): Promise<Holder> {
    try {
      return await this.#inTurn(claim.name, () => this.#hold(claim, link));
    } catch (error) {
      link.close(messageOf(error));
      throw error;
    }
  }

  /** A link that is not ours to watch tells its own end. */
  released(holder: Holder, reason: string): void {
    this.#lost(holder, reason);
  }

  /** Runs `change`, which ends the lease in the store, and closes the connection at once. */
  async evict(name: string, reason: string, change: () => Promise<boolean>): Promise<boolean> {
    return await this.#inTurn(name, async () => {
      const isChanged = await change();
      // Before what is known of the node is forgotten: it decides who is told.
      if (isChanged) this.disconnect(name, reason, true);
      this.#deps.records.forget(name);
      return isChanged;
    });
  }

  /** Ends the connection; the agent may come back. False when there is none. */
  disconnect(name: string, reason: string, isForGood = false): boolean {
    const holder = this.#holders.get(name);
    if (holder === undefined) return false;
    holder.link.close(reason, isForGood);
    this.#lost(holder, reason);
    return true;
  }

  /** What an agent says of itself. Ignored from a holder that was fenced. */
  async report(holder: Holder, said: AgentInfo): Promise<void> {
    if (this.#holders.get(holder.name) !== holder) return;
    const report = boundReport(said);
    const before = this.#deps.records.peek(holder.name)?.report;
    if (!(await this.#deps.nodes.saveReport(holder.name, holder.leaseEpoch, report))) return;
    await this.#deps.records.refresh(holder.name);
    if (namesOf(before) !== namesOf(report) && this.#holders.get(holder.name) === holder)
      this.#deps.onPluginsChanged?.(holder);
  }

  /** I1 */
  async #hold(claim: Claim, link: NodeLink): Promise<Holder> {
    const { nodes, records, audit, clock, logger, onJoined } = this.#deps;
    if (this.#isStopping) throw new AppError('shutting-down');
    const { name, credentialId } = claim;
    const request = { name, credentialId, kind: link.kind, holder: this.#deps.self(), nowMs: clock.now() };
    const leaseEpoch = await nodes.acquireLease(request);
    if (leaseEpoch === undefined)
      throw new AppError('invalid-service-credential', `The credential of ${name} is not in force`);
    const previous = this.#holders.get(name);
    if (previous !== undefined) {
      previous.link.close('another agent has taken the name over');
      this.#lost(previous, 'another agent has taken the name over');
    }
    const { instance, keyIds } = claim;
    const holder: Holder = { name, instance, leaseEpoch, link, connectedAtMs: clock.now(), keyIds };
    this.#holders.set(name, holder);
    for (const wake of this.#firsts.get(instance) ?? []) wake();
    await records.refresh(name);
    const action = previous === undefined ? 'node.connect' : 'node.take-over';
    const owner = records.peek(name)?.owner;
    audit.record({
      ...{ action, outcome: 'done', user: `node:${name}`, node: name, address: claim.address },
      ...(owner === undefined ? {} : { owner }),
    });
    logger.info('node connected', { op: action, node: name, kind: link.kind, leaseEpoch });
    if (link.isOpen) onJoined(holder);
    else this.#lost(holder, 'the connection has ended already');
    return holder;
  }

  async #isInForce({ name, credentialId }: Claim): Promise<boolean> {
    const record: EdgeNode = await this.#deps.records.refresh(name);
    return !record.isRevoked && (record.credentialId ?? null) === credentialId;
  }

  /** I4 */
  #lost(holder: Holder | undefined, reason: string): void {
    if (holder === undefined || this.#holders.get(holder.name) !== holder) return;
    this.#holders.delete(holder.name);
    const { name, leaseEpoch } = holder;
    this.#deps.logger.info('node disconnected', { op: 'node.disconnect', node: name, leaseEpoch, reason });
    this.#deps.onLost(holder, reason);
    void this.#giveBack(holder);
  }

  /** So that other bridges do not take the node for connected. A lease that was taken over is not touched. */
  async #giveBack({ leaseEpoch, name }: Holder): Promise<void> {
    const { clock, nodes, records, logger } = this.#deps;
    const given = nodes
      .releaseLease(name, leaseEpoch, clock.now())
      .then((isGiven) => (isGiven ? records.refresh(name) : undefined))
      .catch((error: unknown) => {
        logger.debug('a lease was not given back', { node: name, reason: messageOf(error) });
      });
    this.#giving.add(given);
    await given;
    this.#giving.delete(given);
  }

  /** I3 */
  async #touchAll(): Promise<void> {
    for (const holder of this.holders) if (!(await this.#touch(holder))) return;
  }

  /** False when the store does not answer. */
  async #touch(holder: Holder): Promise<boolean> {
    const { nodes, records, clock, logger } = this.#deps;
    const { name, leaseEpoch } = holder;
    try {
      if (await nodes.touch(name, leaseEpoch, clock.now())) {
        await records.find(name);
        this.#deps.onTouched?.(holder);
      } else if (this.#holders.get(name) === holder) this.disconnect(name, noLease);
      return true;
    } catch (error) {
      logger.warn('a node cannot be kept up to date', { node: name, reason: messageOf(error) });
      return false;
    }
  }

  /** A connection that ended here may have been dialled again at another bridge, which has the node then. */
  #checkSoon(holderOf: () => Holder | undefined): void {
    const timer = setTimeout(() => {
      const holder = holderOf();
      if (holder !== undefined && this.#holders.get(holder.name) === holder) void this.#touch(holder);
    }, checkMs);
    timer.unref();
  }

  /** I2 */
  async #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(name) ?? Promise.resolve();
    const turn = before.then(work, work);
    const settled = turn.catch(() => undefined);
    this.#turns.set(name, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(name) === settled) this.#turns.delete(name);
    }
  }
}

const namesOf = (report: AgentInfo | undefined): string =>
  JSON.stringify(report?.plugins.map(({ name, state }) => [name, state]) ?? []);
