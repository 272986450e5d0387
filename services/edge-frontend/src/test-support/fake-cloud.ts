/** A cloud frontend of one process: documents, keys and tokens in memory, and a switch that turns it off. */
import { createHash } from 'node:crypto';
import {
  type ClusterReport,
  type Language,
  mayAccess,
  type Principal,
  type Requirement,
  toRequirement,
} from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { Found, StoredFunction } from '@gantry/store';
import { BiscuitIssuer, newSigningKey, type SigningKey } from '@gantry/tokens';
import type { CloudLink, DocumentReader, RequirementOfOwner } from '../ports.js';

type Document =
  | { readonly kind: 'function'; readonly owner: string; readonly fn: StoredFunction; readonly code: Buffer }
  | { readonly kind: 'requirement'; readonly owner: string; requirement: Requirement };

export class FakeCloud implements CloudLink {
  readonly reports: ClusterReport[] = [];
  readonly revoked: string[] = [];
  readonly keys: SigningKey[] = [newSigningKey(1)];
  readonly #documents = new Map<number, Document>();
  #nextId = 1;
  /** How often a function or a requirement was read. */
  reads = 0;
  isDown: boolean = false;

  issue(user: string, options: { role?: Principal['role']; lifetimeMs?: number; keys?: SigningKey[] } = {}) {
    const issuer = new BiscuitIssuer(() => options.keys ?? this.keys);
    return issuer.issue(
      { user, org: undefined, role: options.role ?? 'user' },
      { nowMs: Date.now(), lifetimeMs: options.lifetimeMs ?? 3_600_000 },
    );
  }

  addFunction(owner: string, source = 'export default (x) => x', language: Language = 'JS'): number {
    const id = this.#nextId++;
    const code = Buffer.from(source);
    const sha256 = createHash('sha256').update(code).digest('hex');
    const fn = {
      id,
      owner,
      name: undefined,
      language,
      clientHash: '',
      sha256,
      sizeBytes: code.length,
      createdAtMs: 0,
    };
    this.#documents.set(id, { kind: 'function', owner, fn, code });
    return id;
  }

  addRequirement(owner: string, wire: Parameters<typeof toRequirement>[0] = {}): number {
    const id = this.#nextId++;
    this.#documents.set(id, { kind: 'requirement', owner, requirement: toRequirement(wire) });
    return id;
  }

  replaceRequirement(id: number, wire: Parameters<typeof toRequirement>[0]): void {
    const document = this.#documents.get(id);
    if (document?.kind === 'requirement') document.requirement = toRequirement(wire);
  }

  remove(id: number): void {
    this.#documents.delete(id);
  }

  async readKeys() {
    this.#assertUp();
    return this.keys.map(({ id, publicKey }) => ({ id, publicKey }));
  }

  async readRevoked() {
    this.#assertUp();
    return [...this.revoked];
  }

  async readFunction(id: number, reader: DocumentReader): Promise<Found<StoredFunction>> {
    const found = this.#find(id, reader);
    if (found === undefined) return { kind: 'missing' };
    return found.kind === 'function' ? { kind: 'found', document: found.fn } : { kind: 'wrong-type' };
  }

  async readRequirement(id: number, reader: DocumentReader): Promise<Found<RequirementOfOwner>> {
    const found = this.#find(id, reader);
    if (found === undefined) return { kind: 'missing' };
    if (found.kind !== 'requirement') return { kind: 'wrong-type' };
    return { kind: 'found', document: { owner: found.owner, requirement: found.requirement } };
  }

  async readCode(id: number, reader: DocumentReader) {
    const found = this.#find(id, reader);
    return found?.kind === 'function' ? found.code : undefined;
  }

  async reportCluster(report: ClusterReport) {
    this.#assertUp();
    this.reports.push(report);
  }

  #find(id: number, { principal }: DocumentReader): Document | undefined {
    this.#assertUp();
    this.reads += 1;
    const document = this.#documents.get(id);
    return document !== undefined && mayAccess(principal, document.owner) ? document : undefined;
  }

  #assertUp(): void {
    if (this.isDown) throw new AppError('cloud-unavailable');
  }
}
