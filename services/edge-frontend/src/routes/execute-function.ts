import { type ExecutionMode, edgeApi } from '@gantry/contracts';
import { type Reply, type Route, route } from '@gantry/http';
import { childTraceparent } from '@gantry/telemetry';
import type { EdgeDeps } from '../deps.js';
import { callFunction, executionIdHeader } from '../usecases/call-function.js';
import { prepareCall } from '../usecases/prepare-call.js';
import { submitExecution } from '../usecases/submit-execution.js';
import { waitForResult } from '../usecases/wait-for-result.js';
import { type ExecutionPreference, parsePrefer } from './prefer.js';

export const executeRoute = (deps: EdgeDeps): Route =>
  route(
    edgeApi.executeFunction,
    async (request) => {
      const { bytes, caller, params, query, raw } = request;
      const prefer = parsePrefer(raw.headers['prefer']);
      const mode: ExecutionMode = prefer === undefined ? query.mode : 'async';
      if (mode === 'async') await deps.admission.enterAsync(caller.principal.user);
      const prepared = await prepareCall(deps.planner, {
        functionId: params.id,
        requirementId: query.app_req_id,
        mode,
        caller,
        parameters: bytes,
        traceparent: childTraceparent(raw.headers['traceparent'] as string | undefined),
      });
      const { executionId } = prepared.request;
      if (mode === 'sync') {
        const result = await callFunction(deps.call, prepared);
        return { status: 200, bytes: result, headers: { [executionIdHeader]: executionId } };
      }
      await submitExecution(deps.submit, prepared, bytes);
      return answerAsync(deps, executionId, prefer, request.signal);
    },
    {
      isHot: true,
      bodyAs: 'bytes',
      admit: ({ caller, bodySizeBytes }) => deps.admission.enter(caller.principal.user, bodySizeBytes),
    },
  );

/** 200 when it ends within the wait that was asked for, else 202. */
async function answerAsync(
  deps: EdgeDeps,
  executionId: string,
  prefer: ExecutionPreference | undefined,
  signal: AbortSignal,
): Promise<Reply> {
  const headers = {
    [executionIdHeader]: executionId,
    ...(prefer === undefined ? {} : { 'preference-applied': prefer.applied }),
  };
  const waitMs = (prefer?.waitSeconds ?? 0) * 1000;
  const ending = await waitForResult(deps, executionId, { waitMs, signal });
  if (ending.kind === 'result') return { status: 200, bytes: ending.result, headers };
  return {
    status: 202,
    json: { execution_id: executionId, status: ending.status },
    headers: { ...headers, location: `/v1/executions/${executionId}` },
  };
}
