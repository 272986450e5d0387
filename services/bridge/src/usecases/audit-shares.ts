/**
 * What goes into the audit log, so that nobody writes over what others did there.
 *
 * I1. An account has a share of the main log, in bytes by hour. What it writes beyond it goes to a log beside it, which
 *     has its own files: it pushes out nothing but the lines of others who were as busy.
 * I2. What comes without an account has one share in all.
 * I3. Probes (nodes that are not there, tokens that are none) are one line a minute for each account and address, with
 *     how many there were in the next one.
 * I4. Texts are cut: a caller chooses a path, and a user agent could choose more.
 */
import type { Clock, Part } from '@gantry/kernel';
import type { AuditEntry, AuditLog, AuditSink } from '../ports.js';

export interface AuditSharesDeps {
  readonly main: AuditSink;
  readonly busy: AuditSink;
  /** What an account may write into the main log in an hour. */
  readonly bytesPerHour: number;
  readonly clock: Clock;
}

const hourMs = 3_600_000;
const minuteMs = 60_000;
const maxAccounts = 10_000;
const maxProbes = 2000;
const maxPathChars = 256;
const maxDetailChars = 1024;
const maxNameChars = 128;

interface Share {
  leftBytes: number;
  filledMs: number;
}
interface Probe {
  readonly entry: AuditEntry;
  readonly sinceMs: number;
  count: number;
}

export class AuditShares implements AuditLog, Part {
  readonly name = 'audit log';
  readonly #deps: AuditSharesDeps;
  /** Who wrote last stands last. */
  readonly #shares = new Map<string, Share>();
  readonly #probes = new Map<string, Probe>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: AuditSharesDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setInterval(() => this.#tellProbes(this.#deps.clock.monotonicMs() - minuteMs), minuteMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#tellProbes(Number.POSITIVE_INFINITY);
  }

  record(entry: AuditEntry): void {
    const { busy, main } = this.#deps;
    const line = toCut(entry);
    const sizeBytes = Buffer.byteLength(JSON.stringify(line)) + 48;
    (this.#take(accountOf(line), sizeBytes) ? main : busy).write(line);
  }

  /** I3 */
  recordProbe(entry: AuditEntry): void {
    const { action, address = '', code = '', user } = entry;
    const kept = [action, code, user.startsWith('node:') ? '' : user, address].join(' ');
    // Beyond the bound they are told apart by what they were only.
    const key = this.#probes.has(kept) || this.#probes.size < maxProbes ? kept : `${action} ${code}`;
    const sinceMs = this.#deps.clock.monotonicMs();
    const probe = this.#probes.get(key);
    if (probe !== undefined && sinceMs - probe.sinceMs < minuteMs) {
      probe.count += 1;
      return;
    }
    if (probe !== undefined) this.#tell(probe);
    this.#probes.set(key, { entry: toCut(entry), sinceMs, count: 0 });
    this.record(entry);
  }

  #tellProbes(beforeMs: number): void {
    for (const [key, probe] of this.#probes) {
      if (probe.sinceMs > beforeMs) continue;
      this.#probes.delete(key);
      this.#tell(probe);
    }
  }

  #tell({ count, entry }: Probe): void {
    if (count === 0) return;
    const { action, address, code, outcome, user } = entry;
    this.record({
      ...{ action, outcome, user, count },
      ...(code === undefined ? {} : { code }),
      ...(address === undefined ? {} : { address }),
    });
  }

  /** I1 */
  #take(account: string, sizeBytes: number): boolean {
    const { bytesPerHour, clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const share = this.#shares.get(account) ?? { leftBytes: bytesPerHour, filledMs: nowMs };
    const gained = ((nowMs - share.filledMs) / hourMs) * bytesPerHour;
    share.leftBytes = Math.min(bytesPerHour, share.leftBytes + gained);
    share.filledMs = nowMs;
    this.#shares.delete(account);
    this.#shares.set(account, share);
    for (const oldest of this.#shares.keys()) {
      if (this.#shares.size <= maxAccounts) break;
      this.#shares.delete(oldest);
    }
    if (share.leftBytes < sizeBytes) return false;
    share.leftBytes -= sizeBytes;
    return true;
  }
}

/** I2 */
const accountOf = ({ owner, user }: AuditEntry) => owner ?? (user.startsWith('node:') ? 'node:' : user);

/** I4 */
function toCut(entry: AuditEntry): AuditEntry {
  const cut = Object.entries(entry).map(([name, value]) => [
    name,
    typeof value === 'string' ? value.slice(0, maxCharsOf(name)) : value,
  ]);
  return Object.fromEntries(cut) as unknown as AuditEntry;
}

const maxCharsOf = (name: string) =>
  name === 'path' ? maxPathChars : name === 'detail' ? maxDetailChars : maxNameChars;

/** Where a request came from, for every line that it causes. */
export interface AuditOrigin {
  readonly requestId: string;
  readonly address: string;
}

/** The log, with where what is recorded came from. */
export const auditFrom = (audit: AuditLog, { address, requestId }: AuditOrigin): AuditLog => ({
  record: (entry) => audit.record({ ...entry, requestId, address }),
  recordProbe: (entry) => audit.recordProbe({ ...entry, requestId, address }),
});
