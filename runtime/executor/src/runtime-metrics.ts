import type { Metrics } from '@gantry/telemetry';
import type { RuntimeMetrics } from './ports.js';

/** The runtime's figures: executions by outcome, their run time, executor processes that were lost. */
export function createRuntimeMetrics(metrics: Metrics): RuntimeMetrics {
  const executions = metrics.counter(
    'gantry_runtime_executions_total',
    'Executions that ended at this runtime',
    ['flavour', 'mode', 'outcome'],
  );
  const seconds = metrics.histogram('gantry_runtime_run_seconds', 'Time in the executor', ['flavour']);
  const restarts = metrics.counter(
    'gantry_runtime_worker_restarts_total',
    'Executor processes that ended unasked',
  );
  return {
    executionEnded: ({ flavour, mode, outcome, runSeconds }) => {
      executions.inc({ flavour, mode, outcome });
      if (runSeconds !== undefined) seconds.observe({ flavour }, runSeconds);
    },
    workerRestarted: () => restarts.inc(),
  };
}
