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
import type { EdgeNode, NodeStore } from '@gantry/store';
import type { Tunnel } from '@gantry/tunnel';
import type { AuditLog, NodeLink } from '../ports.js';
import type { NodeRecords } from './node-records.js';
import { TunnelLink } from './tunnel-link.js';

export interface Claim {
  readonly name: string;
  /** Null: joins without one, in open mode. */
  readonly credentialId: string | null;
  /** Of the process that connects: its further connections join the first. */
  readonly instance: string;
  readonly address: string;
}

export interface Holder {
  readonly name: string;
  readonly instance: string;
  readonly leaseEpoch: number;
  readonly link: NodeLink;
  readonly connectedAtMs: number;
}

export interface NodeRegistryDeps {
  readonly nodes: Pick<NodeStore, 'acquireLease' | 'touch' | 'saveReport'>;
  readonly records: NodeRecords;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onJoined: (holder: Holder) => void;
  readonly onLost: (holder: Holder, reason: string) => void;
  readonly touchMs?: number;
}

const defaultTouchMs = 20_000;
const drainMs = 1500;

export class NodeRegistry implements Part {
  readonly name = 'node registry';
  readonly #deps: NodeRegistryDeps;
  readonly #holders = new Map<string, Holder>();
  readonly #turns = new Map<string, Promise<unknown>>();
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
    await Promise.all([...this.#holders.values()].map(({ link }) => link.drain({ graceMs: drainMs })));
    await this.#touching;
  }

  get holders(): readonly Holder[] {
    return [...this.#holders.values()];
  }

  holderOf(name: string): Holder | undefined {
    return this.#holders.get(name);
  }

  /** @throws {AppError} node-unreachable */
  linkOf(name: string): NodeLink {
    const link = this.#holders.get(name)?.link;
    if (link === undefined) throw new AppError('node-unreachable', `${name} is not connected`);
    return link;
  }

  /** A connection of our own agent. The tunnel is closed when it is refused. @throws {AppError} invalid-service-credential */
  async claimTunnel(claim: Claim, slot: number, tunnel: Tunnel): Promise<void> {
    try {
      await this.#inTurn(claim.name, async () => {
        const current = this.#holders.get(claim.name);
        const isSame = current?.instance === claim.instance && current.link instanceof TunnelLink;
        if (isSame && (await this.#isInForce(claim))) {
          current.link.add(slot, tunnel);
          return;
        }
        let holder: Holder | undefined;
        const link = new TunnelLink(claim.name, (reason) => this.#lost(holder, reason));
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
      this.#deps.records.forget(name);
      if (isChanged) this.disconnect(name, reason, true);
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
  async report(holder: Holder, report: AgentInfo): Promise<void> {
    if (this.#holders.get(holder.name) !== holder) return;
    if (await this.#deps.nodes.saveReport(holder.name, holder.leaseEpoch, report))
      await this.#deps.records.refresh(holder.name);
  }

  /** I1 */
  async #hold(claim: Claim, link: NodeLink): Promise<Holder> {
    const { nodes, records, audit, clock, logger, onJoined } = this.#deps;
    if (this.#isStopping) throw new AppError('shutting-down');
    const { name, credentialId } = claim;
    const leaseEpoch = await nodes.acquireLease({ name, credentialId, kind: link.kind, nowMs: clock.now() });
    if (leaseEpoch === undefined)
      throw new AppError('invalid-service-credential', `The credential of ${name} is not in force`);
    const previous = this.#holders.get(name);
    if (previous !== undefined) {
      previous.link.close('another agent has taken the name over');
      this.#lost(previous, 'another agent has taken the name over');
    }
    const holder: Holder = { name, instance: claim.instance, leaseEpoch, link, connectedAtMs: clock.now() };
    this.#holders.set(name, holder);
    await records.refresh(name);
    const action = previous === undefined ? 'node.connect' : 'node.take-over';
    audit.record({ action, outcome: 'done', user: `node:${name}`, node: name, address: claim.address });
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
  }

  /** I3 */
  async #touchAll(): Promise<void> {
    const { nodes, records, clock, logger } = this.#deps;
    for (const holder of this.holders) {
      const { name, leaseEpoch } = holder;
      try {
        if (await nodes.touch(name, leaseEpoch, clock.now())) await records.find(name);
        else if (this.#holders.get(name) === holder) this.disconnect(name, 'the lease is no longer in force');
      } catch (error) {
        logger.warn('a node cannot be kept up to date', { node: name, reason: messageOf(error) });
        return;
      }
    }
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
