import type { Logger } from '@gantry/kernel';
import type { Metrics } from '@gantry/telemetry';
import type { Authenticators } from './authenticate.js';
import type { HealthOptions } from './health.js';
import type { Route } from './route.js';

export interface AppOptions extends HealthOptions {
  /** `Gantry edge frontend`: the title of the OpenAPI document. */
  readonly title: string;
  /** Most called first: the router tries them in this order. */
  readonly routes: readonly Route[];
  readonly authenticators: Authenticators;
  readonly logger: Logger;
  readonly metrics: Metrics;
}
