import { cloudApi, type FunctionView } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import { AppError } from '@gantry/kernel';
import type { StoredFunction } from '@gantry/store';
import type { CloudDeps } from '../deps.js';
import { documentOrMissing } from '../usecases/document-or-missing.js';
import { uploadFunction } from '../usecases/upload-function.js';

export const functionRoutes = (deps: CloudDeps): readonly Route[] => [
  route(cloudApi.uploadFunction, async ({ caller, body }) => ({
    status: 200,
    json: await uploadFunction(deps, caller.principal, body),
  })),
  route(cloudApi.listFunctions, async ({ caller, query }) => {
    const { items, nextCursor } = await deps.documents.listFunctions(caller.principal, query);
    return { status: 200, json: { items: items.map(toView), next_cursor: nextCursor } };
  }),
  route(cloudApi.readFunction, async ({ caller, params }) => {
    const found = await deps.documents.findFunction(params.id, caller.principal);
    return { status: 200, json: toView(documentOrMissing(found, 'function', params.id)) };
  }),
  route(cloudApi.readFunctionCode, async ({ caller, params }) => {
    const code = await deps.documents.readCode(params.id, caller.principal);
    if (code === undefined) throw new AppError('document-not-found', `There is no function ${params.id}`);
    const bytes = Buffer.from(code.buffer, code.byteOffset, code.byteLength);
    return { status: 200, bytes, contentType: 'application/octet-stream' };
  }),
  route(cloudApi.deleteFunction, async ({ caller, params }) => {
    const removed = await deps.documents.removeFunction(params.id, caller.principal);
    documentOrMissing(removed, 'function', params.id);
    return { status: 204 };
  }),
];

const toView = (fn: StoredFunction): FunctionView => ({
  id: fn.id,
  owner: fn.owner,
  name: fn.name ?? null,
  LANG: fn.language,
  FC_HASH: fn.clientHash,
  sha256: fn.sha256,
  size_bytes: fn.sizeBytes,
  created_at: new Date(fn.createdAtMs).toISOString(),
});
