import type { Broker } from '@gantry/broker';
import type { FlavourDefinition } from '@gantry/contracts';
import type { VersionInfo } from '@gantry/http';
import type { Clock, Logger } from '@gantry/kernel';
import type { EdgeStore, Store } from '@gantry/store';
import type { Metrics } from '@gantry/telemetry';
import type { EdgeFrontendConfig } from './config.js';
import type { CloudLink, RuntimeScaler } from './ports.js';

/** What an edge frontend is composed of. */
export interface EdgeFrontendOptions {
  readonly config: EdgeFrontendConfig;
  /** Of any flavours; those that are served and not among them get the built-in defaults. */
  readonly definitions?: readonly FlavourDefinition[];
  /** Opened, and closed, by the caller. */
  readonly broker: Broker;
  /** Opened, and closed, by the caller. */
  readonly store: EdgeStore & Pick<Store, 'check'>;
  readonly cloud: CloudLink;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly version: VersionInfo;
  readonly clock?: Clock;
  /** What runtimes prove themselves with; undefined: no runtime may fetch payloads over HTTP. */
  readonly runtimeCredential?: string | undefined;
  /** What `POST /v1/scale` works with; undefined: it is refused. */
  readonly scaler?: RuntimeScaler | undefined;
}
