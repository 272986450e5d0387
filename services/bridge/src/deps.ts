import type { Clock, Logger } from '@gantry/kernel';
import type { LabelSettingsStore, NodeStore } from '@gantry/store';
import type { TokenIssuer, TokenVerifier } from '@gantry/tokens';
import type { BridgeSettings } from './config.js';
import type { AuditLog, UserTrust } from './ports.js';
import type { AgentFeeds } from './usecases/agent-feed.js';
import type { BridgeKeys } from './usecases/bridge-keys.js';
import type { CallLimits } from './usecases/call-limits.js';
import type { CallerStatements } from './usecases/caller-statements.js';
import type { EventHub } from './usecases/event-hub.js';
import type { LabelSettingsRecords } from './usecases/label-settings.js';
import type { NodeRecords } from './usecases/node-records.js';
import type { NodeRegistry } from './usecases/node-registry.js';
import type { OpenStreams } from './usecases/open-streams.js';
import type { OriginalSessions } from './usecases/original-sessions.js';
import type { RedeemLimits } from './usecases/redeem-limits.js';
import type { RedeemedCredentials } from './usecases/redeemed-credentials.js';

/** What routes and doors hand to the use cases; each use case names the part that it needs. */
export interface BridgeDeps {
  readonly settings: BridgeSettings['bridge'];
  readonly nodes: NodeStore;
  readonly records: NodeRecords;
  readonly registry: NodeRegistry;
  readonly feeds: AgentFeeds;
  readonly labelSettings: LabelSettingsRecords;
  readonly labelSettingsStore: LabelSettingsStore;
  readonly hub: EventHub;
  readonly statements: CallerStatements;
  /** Of original edges. */
  readonly sessions: OriginalSessions;
  readonly limits: CallLimits;
  /** By account and original edge. */
  readonly edgeLimits: CallLimits;
  readonly streams: OpenStreams;
  readonly redeemLimits: RedeemLimits;
  readonly redeemed: RedeemedCredentials;
  readonly audit: AuditLog;
  /** Users' tokens. */
  readonly trust: UserTrust;
  /** The bridge's own keys, and what makes and checks credentials of nodes with them. */
  readonly keys: BridgeKeys;
  readonly issuer: TokenIssuer;
  readonly nodeVerifier: Pick<TokenVerifier, 'verify'>;
  /** Of this process, among the bridges of its store. */
  readonly bridgeId: string;
  /** The node that runs as the same user as this process. */
  readonly ownMachine: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where people and nodes reach the bridge. */
  readonly publicUrl: () => string;
}
