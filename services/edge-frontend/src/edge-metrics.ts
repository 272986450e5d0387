import type { PublishOutcome } from '@gantry/broker';
import type { ExecutionRequest } from '@gantry/contracts';
import type { Metrics } from '@gantry/telemetry';
import type { Admission } from './usecases/admit-call.js';
import type { CallJournal } from './usecases/call-journal.js';
import type { ExecutionSignals } from './usecases/execution-signals.js';
import type { FlavourWatch } from './usecases/flavour-watch.js';
import type { QueueAges } from './usecases/queue-ages.js';
import type { DeviceGauge } from './usecases/report-device-metrics.js';
import type { RuntimeDirectory } from './usecases/runtime-directory.js';
import type { WaitingCalls } from './usecases/waiting-calls.js';

/** What an edge frontend counts. Labels have few values: configured flavours, modes, ends; devices are bounded. */
export interface EdgeMetrics {
  countExecution(execution: Pick<ExecutionRequest, 'flavour' | 'mode'>, outcome: string): void;
  countAsyncEnd(status: string, isFirst: boolean): void;
  observeConfirm(seconds: number, outcome: PublishOutcome): void;
  countUnreadable(queue: string): void;
  countDeadLetter(reason: string): void;
  countLease(outcome: string): void;
  countRepublished(): void;
  countDropped(count: number): void;
  countUnclaimed(): void;
  countScaling(flavour: string, outcome: string): void;
  readonly deviceGauge: DeviceGauge;
}

export function createEdgeMetrics(metrics: Metrics): EdgeMetrics {
  const executions = metrics.counter('executions_total', 'Calls and submissions by how they ended here', [
    'flavour',
    'mode',
    'outcome',
  ]);
  const ends = metrics.counter('async_ends_total', 'Ends of asynchronous executions taken from the broker', [
    'status',
  ]);
  const duplicates = metrics.counter('results_duplicate_total', 'Ends of executions that had ended before');
  const unclaimed = metrics.counter('results_unclaimed_total', 'Results of calls nobody waits for any more');
  const confirms = metrics.histogram('publish_confirm_seconds', 'Time until the broker confirmed a call', [
    'outcome',
  ]);
  const unreadable = metrics.counter('messages_unreadable_total', 'Messages that are not as declared', [
    'queue',
  ]);
  const dead = metrics.counter('dead_letters_total', 'Dead letters by why they died', ['reason']);
  const leases = metrics.counter('leases_total', 'Answers to runtimes that asked to start an execution', [
    'outcome',
  ]);
  const republished = metrics.counter('executions_republished_total', 'Accepted executions published again');
  const dropped = metrics.counter('records_dropped_total', 'Records of synchronous calls dropped unwritten');
  const scalings = metrics.counter('scalings_total', 'Requests to scale a flavour by how they ended', [
    'flavour',
    'outcome',
  ]);
  const device = metrics.gauge('device_metric', 'Figures as devices report them', ['device', 'name']);
  return {
    countExecution: ({ flavour, mode }, outcome) => executions.inc({ flavour, mode, outcome }),
    countAsyncEnd: (status, isFirst) => (isFirst ? ends.inc({ status }) : duplicates.inc()),
    observeConfirm: (seconds, outcome) => confirms.observe({ outcome }, seconds),
    countUnreadable: (queue) => unreadable.inc({ queue }),
    countDeadLetter: (reason) => dead.inc({ reason }),
    countLease: (outcome) => leases.inc({ outcome }),
    countRepublished: () => republished.inc(),
    countDropped: (count) => dropped.inc(count),
    countUnclaimed: () => unclaimed.inc(),
    countScaling: (flavour, outcome) => scalings.inc({ flavour, outcome }),
    deviceGauge: {
      set: (labels, value) => device.set(labels, value),
      remove: (labels) => device.remove(labels),
    },
  };
}

export interface Observed {
  readonly flavours: readonly string[];
  readonly watch: FlavourWatch;
  readonly directory: RuntimeDirectory;
  readonly ages: QueueAges;
  readonly waiting: WaitingCalls;
  readonly signals: ExecutionSignals;
  readonly journal: CallJournal;
  readonly admission: Admission;
  readonly brokerIsConnected: () => boolean;
}

/** Gauges that are read when somebody asks. */
export function observeEdge(metrics: Metrics, observed: Observed): void {
  const { admission, ages, directory, flavours, journal, signals, waiting, watch } = observed;
  const read = (name: string, help: string, value: () => number) =>
    metrics.gauge(name, help, [], (gauge) => gauge.set(value()));
  read('calls_waiting', 'Synchronous calls that wait for a result', () => waiting.size);
  read('calls_in_flight', 'Calls between their first and their last byte', () => admission.calls);
  read('call_bytes_in_flight', 'Bytes of parameters of calls in flight', () => admission.bytes);
  read('long_polls', 'Readers that wait for the end of an execution', () => signals.size);
  read('records_waiting', 'Records of synchronous calls not yet written', () => journal.backlog);
  read('broker_connected', '1 while the broker takes messages', () => (observed.brokerIsConnected() ? 1 : 0));
  metrics.gauge(
    'queue_messages',
    'Executions that wait in the queues of a flavour',
    ['flavour', 'mode'],
    (gauge) => {
      for (const flavour of flavours) {
        const state = watch.stateOf(flavour);
        gauge.set({ flavour, mode: 'sync' }, state?.sync.messages ?? 0);
        gauge.set({ flavour, mode: 'async' }, state?.async.messages ?? 0);
      }
    },
  );
  metrics.gauge('flavour_runtimes', 'Executions that a flavour can run at once', ['flavour'], (gauge) => {
    for (const flavour of flavours) gauge.set({ flavour }, watch.stateOf(flavour)?.sync.consumers ?? 0);
  });
  metrics.gauge(
    'queue_oldest_seconds',
    'Age of the oldest that waits; synchronous: of this process',
    ['flavour', 'mode'],
    (gauge) => {
      for (const flavour of flavours) {
        gauge.set({ flavour, mode: 'sync' }, waiting.oldestQueuedMs(flavour) / 1000);
        gauge.set({ flavour, mode: 'async' }, ages.ageSeconds(flavour));
      }
    },
  );
  metrics.gauge('flavour_running', 'Executions that run, as runtimes last said', ['flavour'], (gauge) => {
    for (const flavour of flavours) gauge.set({ flavour }, directory.stateOf(flavour).running);
  });
}
