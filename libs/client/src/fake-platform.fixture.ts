import type { ExecResult, FunctionUpload } from '@gantry/contracts';
import { encodeJson } from './base64.js';
import { type PeerAnswer, type PeerRequest, problemReply, startPeer } from './fake-peer.fixture.js';
import { runPython } from './pickle/python.fixture.js';

/** Answers a request, or leaves it to the platform. */
export type Override = (request: PeerRequest) => PeerAnswer | undefined;

/**
 * A small platform: a cloud frontend and edge frontends as real HTTP servers. It keeps documents, and executes
 * uploaded modules in this process, and Python functions in a Python of their own.
 */
export async function startFakePlatform(options: { edges?: number; cloud?: Override; edge?: Override } = {}) {
  const functions = new Map<number, string>();
  const requirements = new Map<number, unknown>();
  const executions = new Map<string, Record<string, unknown>>();
  const overrides = { cloud: options.cloud, edge: options.edge };
  let lastId = 0;

  async function execute({ path, query, body }: PeerRequest): Promise<PeerAnswer> {
    const source = functions.get(Number(path.split('/')[3]));
    if (source === undefined || !requirements.has(Number(query.get('app_req_id'))))
      return problemReply(404, 'document-not-found');
    const outcome = source.startsWith('\x80')
      ? (JSON.parse(
          runPython(callInPython, JSON.stringify([encodeLatin1(source), JSON.parse(body)])),
        ) as ExecResult)
      : await run(source, JSON.parse(body) as string[]);
    if (query.get('mode') === 'sync')
      return { status: 200, json: outcome, headers: { 'x-execution-id': `fe.${executions.size}` } };
    const id = `async.${executions.size}`;
    executions.set(id, {
      ...outcome,
      execution_id: id,
      status: outcome.ret_code === 0 ? 'succeeded' : 'failed',
      log: `log of ${id}`,
    });
    return { status: 202, json: { execution_id: id, status: 'queued' } };
  }

  const edges = await Promise.all(
    Array.from({ length: options.edges ?? 1 }, () =>
      startPeer((request) => {
        const override = overrides.edge?.(request);
        if (override !== undefined) return override;
        if (request.path.endsWith('/execute')) return execute(request);
        if (request.path === '/v1/device_metrics') return { status: 200, json: null };
        const execution = executions.get(request.path.split('/')[3] ?? '');
        if (execution === undefined) return problemReply(404, 'execution-not-found');
        if (request.path.endsWith('/logs')) return { status: 200, text: String(execution['log']) };
        if (request.method !== 'DELETE') return { status: 200, json: execution };
        Object.assign(execution, { status: 'cancelled', ret_code: null, res: null, err: null });
        return { status: 202, json: execution };
      }),
    ),
  );

  const cloud = await startPeer((request) => {
    const override = overrides.cloud?.(request);
    if (override !== undefined) return override;
    const { method, path, body } = request;
    const id = Number(path.split('/')[3]);
    if (path === '/v1/authenticate') return { status: 201, json: 'token' };
    if (path === '/v1/daas/upload') {
      lastId += 1;
      const { LANG, FC } = JSON.parse(body) as FunctionUpload;
      functions.set(lastId, Buffer.from(FC, 'base64').toString(LANG === 'PY' ? 'latin1' : 'utf8'));
      return { status: 200, json: lastId };
    }
    if (method === 'POST') {
      lastId += 1;
      requirements.set(lastId, JSON.parse(body));
      return { status: 200, json: lastId };
    }
    if (!requirements.has(id)) return problemReply(404, 'document-not-found');
    if (path.endsWith('/ec_fe'))
      return {
        status: 200,
        json: edges.map(({ url }, index) => ({
          ID: index,
          NAME: 'edge',
          TEMPLATE: { EDGE_CLUSTER_FRONTEND: url },
        })),
      };
    if (method === 'GET') return { status: 200, json: requirements.get(id) };
    if (method === 'PUT') requirements.set(id, JSON.parse(body));
    if (method === 'DELETE') requirements.delete(id);
    return method === 'PUT' ? { status: 200, json: null } : { status: 204 };
  });

  return {
    cloud,
    edges,
    functions,
    requirements,
    executions,
    overrides,
    stop: async () => void (await Promise.all([cloud, ...edges].map((one) => one.stop()))),
  };
}

const encodeLatin1 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');

/** What COGNIT's runtime does. */
const callInPython = `
import base64, json, pickle, sys
code, parameters = json.load(sys.stdin)
load = lambda text: pickle.loads(base64.b64decode(text))
try:
    value, code, err = load(code)(*map(load, parameters)), 0, None
except Exception as error:
    value, code, err = None, -1, f'function-error: {error!r}'
print(json.dumps({'ret_code': code, 'res': base64.b64encode(pickle.dumps(value)).decode(), 'err': err}))
`;

async function run(source: string, parameters: readonly string[]) {
  try {
    const url = `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
    const loaded = (await import(url)) as { default: (...values: unknown[]) => unknown };
    const values = parameters.map((one) => JSON.parse(Buffer.from(one, 'base64').toString()) as unknown);
    return { ret_code: 0, res: encodeJson(await loaded.default(...values)), err: null };
  } catch (error) {
    return { ret_code: -1, res: encodeJson(null), err: `function-error: ${String(error)}` };
  }
}
