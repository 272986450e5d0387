import { publishCancel } from '@gantry/broker';
import { flavourOf } from '@gantry/contracts';
import { type Clock, DeadlineWheel } from '@gantry/kernel';
import type { EdgeDeps } from './deps.js';
import type { EdgeMetrics } from './edge-metrics.js';
import type { EdgeFrontendOptions } from './edge-options.js';
import { Admission } from './usecases/admit-call.js';
import { CallJournal } from './usecases/call-journal.js';
import { CodeShelf } from './usecases/code-shelf.js';
import { DocumentCache } from './usecases/document-cache.js';
import { ExecutionSignals } from './usecases/execution-signals.js';
import { FlavourWatch } from './usecases/flavour-watch.js';
import { QueueAges } from './usecases/queue-ages.js';
import { DeviceMetrics } from './usecases/report-device-metrics.js';
import { RuntimeDirectory } from './usecases/runtime-directory.js';
import { WaitingCalls } from './usecases/waiting-calls.js';

const cancelTimeoutMs = 2000;
/** The longest tolerated difference between a runtime that starts in the last moment and its word of it. */
const queueToleranceMs = 1000;

export interface Made {
  readonly clock: Clock;
  readonly frontendId: string;
  readonly edgeMetrics: EdgeMetrics;
}

export interface Core {
  readonly deps: EdgeDeps;
  readonly watch: FlavourWatch;
  readonly directory: RuntimeDirectory;
  readonly ages: QueueAges;
  readonly wheel: DeadlineWheel;
}

/** Everything between a route and the broker. */
export function buildCore(options: EdgeFrontendOptions, made: Made): Core {
  const { broker, cloud, config, logger, scaler, store } = options;
  const { clock, edgeMetrics, frontendId } = made;
  const { edge } = config;
  const { executions, payloads } = store;
  const wheel = new DeadlineWheel();
  const waiting = new WaitingCalls({ clock, wheel, queueToleranceMs, runGraceMs: edge.runGraceMs });
  const sendCancel = (executionId: string, flavour: string) => {
    // Never rejects; that nobody hears it is no failure.
    void publishCancel(broker, { executionId, flavour }, { timeoutMs: cancelTimeoutMs });
  };
  const watch = new FlavourWatch({
    ...{ broker, flavours: edge.flavours, clock, logger },
    onLost: (flavour) => {
      const failed = waiting.failQueued(flavour);
      if (failed.length > 0)
        logger.warn('queued calls lost their last runtime', { flavour, count: failed.length });
    },
  });
  const definitions = edge.flavours.map((name) => flavourOf(options.definitions ?? [], name));
  const directory = new RuntimeDirectory({ definitions, clock });
  const ages = new QueueAges({ flavours: edge.flavours, executions, clock, logger });
  const journal = new CallJournal({
    record: (rows) => executions.record(rows),
    ...{ waiting, clock, logger },
    onDropped: (count) => edgeMetrics.countDropped(count),
    isEnabled: edge.recordSyncExecutions,
  });
  const staleMs = edge.documentStaleHours * 3_600_000;
  const deps: EdgeDeps = {
    admission: new Admission(edge),
    planner: {
      functions: new DocumentCache({
        kind: 'function',
        read: (id, reader) => cloud.readFunction(id, reader),
        ownerOf: (fn) => fn.owner,
        ...{ clock, staleMs },
      }),
      requirements: new DocumentCache({
        kind: 'requirement',
        read: (id, reader) => cloud.readRequirement(id, reader),
        ownerOf: (document) => document.owner,
        ...{ clock, staleMs },
      }),
      code: new CodeShelf({ payloads, cloud, clock }),
      flavours: watch,
      runtimes: directory,
      definitions: new Map(definitions.map((one) => [one.name, one])),
      limits: {
        defaultRunMs: edge.defaultRunSeconds * 1000,
        maxRunMs: edge.maxRunSeconds * 1000,
        syncQueueMs: edge.syncQueueSeconds * 1000,
        asyncQueueMs: edge.asyncQueueSeconds * 1000,
      },
      ...{ payloads, clock, frontendId },
    },
    flavours: { definitions, watch, directory, waiting, ages },
    call: {
      ...{ broker, waiting, journal, clock },
      cancel: sendCancel,
      observeConfirm: edgeMetrics.observeConfirm,
      countOutcome: edgeMetrics.countExecution,
    },
    submit: { broker, executions, clock, logger, countOutcome: edgeMetrics.countExecution },
    scaling: {
      ...{ scaler, clusterName: edge.name, flavours: edge.flavours, clock, logger },
      countScaling: edgeMetrics.countScaling,
    },
    signals: new ExecutionSignals(edge.maxLongPolls),
    deviceMetrics: new DeviceMetrics(edgeMetrics.deviceGauge),
    ...{ executions, payloads, journal, waiting, clock, logger, sendCancel },
  };
  return { deps, watch, directory, ages, wheel };
}
