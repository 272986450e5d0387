import type { Clock, Logger } from '@gantry/kernel';
import type { ExecutionStore, PayloadStore } from '@gantry/store';
import type { Admission } from './usecases/admit-call.js';
import type { CallDeps } from './usecases/call-function.js';
import type { CallJournal } from './usecases/call-journal.js';
import type { ExecutionSignals } from './usecases/execution-signals.js';
import type { FlavourSources } from './usecases/list-flavours.js';
import type { PlannerDeps } from './usecases/prepare-call.js';
import type { DeviceMetrics } from './usecases/report-device-metrics.js';
import type { ScaleDeps } from './usecases/scale-runtimes.js';
import type { SubmitDeps } from './usecases/submit-execution.js';
import type { WaitingCalls } from './usecases/waiting-calls.js';

/** What the routes of an edge frontend work with. */
export interface EdgeDeps {
  readonly admission: Admission;
  readonly planner: PlannerDeps;
  readonly flavours: FlavourSources;
  readonly call: CallDeps;
  readonly submit: SubmitDeps;
  readonly scaling: ScaleDeps;
  readonly executions: ExecutionStore;
  readonly payloads: PayloadStore;
  readonly journal: CallJournal;
  readonly signals: ExecutionSignals;
  readonly waiting: WaitingCalls;
  readonly deviceMetrics: DeviceMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sendCancel: (executionId: string, flavour: string) => void;
}
