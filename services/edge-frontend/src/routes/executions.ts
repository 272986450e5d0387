import { edgeApi, isAdministrator, isTerminal } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { EdgeDeps } from '../deps.js';
import { cancelExecution } from '../usecases/cancel-execution.js';
import { findExecution, findLogs } from '../usecases/find-execution.js';
import { toExecutionView } from './execution-view.js';

export const executionRoutes = (deps: EdgeDeps): readonly Route[] => [
  route(edgeApi.readExecution, async (request) => {
    const { caller, params, query } = request;
    const read = async () => {
      const value = await findExecution(deps, params.id, caller.principal);
      return { isDone: isTerminal(value.status), value };
    };
    const execution =
      query.wait === 0
        ? (await read()).value
        : await deps.signals.until(params.id, read, { waitMs: query.wait * 1000, signal: request.signal });
    return { status: 200, json: toExecutionView(execution) };
  }),
  route(edgeApi.listExecutions, async ({ caller, query }) => {
    await deps.journal.flushAll();
    const filter = {
      owner: isAdministrator(caller.principal) ? undefined : caller.principal.user,
      status: query.status,
      functionId: query.function_id,
      flavour: query.flavour,
      fromMs: query.from === undefined ? undefined : Date.parse(query.from),
      toMs: query.to === undefined ? undefined : Date.parse(query.to),
    };
    const page = await deps.executions.list(filter, { limit: query.limit, cursor: query.cursor });
    return { status: 200, json: { items: page.items.map(toExecutionView), next_cursor: page.nextCursor } };
  }),
  route(edgeApi.cancelExecution, async (request) => {
    const { caller, params } = request;
    await cancelExecution(deps, params.id, caller.principal, request.signal);
    return { status: 202, json: { execution_id: params.id, status: 'cancelled' } };
  }),
  route(edgeApi.readExecutionLogs, async ({ caller, params }) => {
    const logs = await findLogs(deps, params.id, caller.principal);
    return { status: 200, bytes: Buffer.from(logs), contentType: 'text/plain; charset=utf-8' };
  }),
];
