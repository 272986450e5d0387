import { posix } from 'node:path';
import {
  beginUploadSchema,
  fileModeSchema,
  filePathSchema,
  finishUploadSchema,
  makeFolderSchema,
  moveFileSchema,
} from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { PluginCall, PluginReply, PluginRoute, PluginThreads, RouteMethod } from '../../core/ports.js';
import { parseWith } from '../../core/read-body.js';
import { deleteEntry, makeFolder, moveEntry, openOrMake } from './change-folder.js';
import { sha256Of } from './checksum.js';
import type { FilesConfig } from './config.js';
import { download } from './download.js';
import { forPath } from './file-errors.js';
import { etagOf } from './file-facts.js';
import { listFolder, readEntry } from './list-folder.js';
import { packFolder } from './pack-folder.js';
import type { SafePaths } from './safe-path.js';
import { unpackArchive } from './unpack-archive.js';
import type { Uploads } from './uploads.js';
import { parseMode } from './write-file.js';
import { writeWhole } from './write-whole.js';

export interface FileRouteDeps {
  readonly config: () => FilesConfig;
  readonly pathsFor: (call: PluginCall) => Promise<SafePaths>;
  readonly uploads: Uploads;
  readonly threads: PluginThreads;
}

const defaultPage = 1000;
const maxPage = 10_000;
/** Deleting or packing a large tree takes a while before the first byte. */
const longMs = 600_000;
/** A disk may take long to write what came last. */
const uploadTimeoutMs = 120_000;

type Handler = (call: PluginCall, paths: SafePaths) => Promise<PluginReply>;

export function buildFileRoutes(deps: FileRouteDeps): readonly PluginRoute[] {
  const route = (
    method: RouteMethod,
    path: string,
    handler: Handler,
    limits: { timeoutMs?: number; maxBodyBytes?: number } = {},
  ): PluginRoute => ({
    method,
    path,
    permission: method === 'GET' ? 'files:read' : 'files:write',
    ...limits,
    handler: async (call) => handler(call, await deps.pathsFor(call)),
  });
  const streamed = { timeoutMs: uploadTimeoutMs, maxBodyBytes: Number.POSITIVE_INFINITY };
  const { uploads } = deps;
  return [
    route('GET', '/roots', async (_call, paths) => ({
      json: {
        roots: paths.roots.map(({ name, path, isWritable }) => ({ name, path, writable: isWritable })),
      },
    })),
    route('GET', '/list', list),
    route('GET', '/stat', stat),
    route('GET', '/checksum', (call, paths) => checksum(call, paths, deps), { timeoutMs: 6 * 3600_000 }),
    route('GET', '/content', (call, paths) => download(paths, pathOf(call), call)),
    route('PUT', '/content', (call, paths) => putContent(call, paths, deps), streamed),
    route('POST', '/mkdir', async (call, paths) => {
      const { path, parents } = await call.readJson(makeFolderSchema);
      return { status: 201, json: { path: await makeFolder(paths, path, parents) } };
    }),
    route('POST', '/move', async (call, paths) => {
      const { from, to, overwrite } = await call.readJson(moveFileSchema);
      return { json: { path: await moveEntry(paths, from, to, overwrite) } };
    }),
    route(
      'DELETE',
      '/entry',
      async (call, paths) => {
        const isRecursive = flagOf(call, 'recursive');
        return { json: { deleted: await deleteEntry(paths, pathOf(call), isRecursive, call.signal) } };
      },
      { timeoutMs: longMs },
    ),
    route('GET', '/archive', (call, paths) => packFolder(paths, pathOf(call), call.signal), {
      timeoutMs: longMs,
    }),
    route(
      'PUT',
      '/archive',
      async (call, paths) => ({
        status: 201,
        json: await unpackArchive(paths, pathOf(call), call.body, deps.config(), call.signal),
      }),
      streamed,
    ),
    route('POST', '/uploads', async (call, paths) => {
      const request = await call.readJson(beginUploadSchema);
      if (request.parents) await makeParents(paths, request.path);
      const state = await uploads.begin(paths, call.caller.user, request);
      return { status: 201, json: state, headers: { 'upload-offset': '0' } };
    }),
    route('GET', '/uploads', async (call, paths) => {
      const path = call.query.get('path') ?? undefined;
      return { json: { uploads: await uploads.list(paths, call.caller.user, path) } };
    }),
    route('GET', '/uploads/:id', async (call, paths) => {
      const state = await uploads.find(paths, call.caller.user, idOf(call));
      return { json: state, headers: { 'upload-offset': String(state.offset) } };
    }),
    route(
      'PATCH',
      '/uploads/:id',
      async (call, paths) => {
        const offset = offsetOf(call);
        const state = await uploads.append(paths, call.caller.user, idOf(call), offset, call.body);
        return { json: state, headers: { 'upload-offset': String(state.offset) } };
      },
      streamed,
    ),
    route('DELETE', '/uploads/:id', async (call, paths) => {
      await uploads.cancel(paths, call.caller.user, idOf(call));
      return {};
    }),
    route(
      'POST',
      '/uploads/:id/finish',
      async (call, paths) => {
        const { sha256 } = (await call.readJson(finishUploadSchema.optional())) ?? {};
        const path = await uploads.finish(paths, call.caller.user, idOf(call), sha256, (part) =>
          sha256Of(part, deps.threads, call.signal),
        );
        return { json: { path } };
      },
      { timeoutMs: longMs },
    ),
  ];
}

async function list(call: PluginCall, paths: SafePaths): Promise<PluginReply> {
  const limit = Number(call.query.get('limit') ?? defaultPage);
  if (!Number.isInteger(limit) || limit < 1 || limit > maxPage)
    throw new AppError('invalid-request', `/query/limit: must be a whole number from 1 to ${maxPage}`);
  const after = call.query.get('after') ?? undefined;
  return { json: await listFolder(paths, pathOf(call), { after, limit }) };
}

/** Of the entry itself; of a root too, which has no name. */
async function stat(call: PluginCall, paths: SafePaths): Promise<PluginReply> {
  const path = pathOf(call);
  const whole = paths.normalize(path);
  const root = paths.roots.find((one) => one.path === whole || one.realPath === whole);
  if (root !== undefined) {
    const { handle, realPath } = await paths.openFolder(whole);
    try {
      const { mode, mtime } = await handle.stat();
      return {
        json: {
          name: posix.basename(realPath),
          path: realPath,
          type: 'dir',
          size: null,
          mode: (mode & 0o7777).toString(8).padStart(4, '0'),
          modified_at: mtime.toISOString(),
          etag: null,
          target: null,
        },
      };
    } finally {
      await handle.close();
    }
  }
  const { folder, name } = await paths.openParent(path);
  try {
    return { json: await forPath(path, () => readEntry(folder, name)) };
  } finally {
    await folder.close();
  }
}

async function checksum(
  call: PluginCall,
  paths: SafePaths,
  { threads }: FileRouteDeps,
): Promise<PluginReply> {
  const file = await paths.openFile(pathOf(call));
  try {
    const hex = await sha256Of(file.handle, threads, call.signal);
    return {
      json: {
        path: file.path,
        size: Number(file.stats.size),
        algorithm: 'sha256',
        checksum: hex,
        etag: etagOf(file.stats),
      },
    };
  } finally {
    await file.handle.close();
  }
}

async function putContent(call: PluginCall, paths: SafePaths, deps: FileRouteDeps): Promise<PluginReply> {
  const path = pathOf(call);
  const mode = call.query.get('mode');
  const announced = call.headers['content-length'];
  if (flagOf(call, 'parents')) await makeParents(paths, path);
  const entry = await writeWhole(paths, path, call.body, {
    maxBytes: deps.config().maxFileBytes,
    announcedBytes: announced === undefined ? undefined : Number(announced),
    conditions: { ifMatch: call.headers['if-match'], ifNoneMatch: call.headers['if-none-match'] },
    mode: parseMode(mode === null ? undefined : parseWith(fileModeSchema, mode, '/query/mode')),
  });
  return { status: 201, json: entry, headers: { etag: entry.etag ?? '' } };
}

async function makeParents(paths: SafePaths, path: string): Promise<void> {
  const folder = await openOrMake(paths, posix.dirname(paths.normalize(path)));
  await folder.close();
}

/** @throws {AppError} invalid-request */
const pathOf = (call: PluginCall): string =>
  parseWith(filePathSchema, call.query.get('path') ?? undefined, '/query/path');

const idOf = (call: PluginCall): string => call.params['id'] ?? '';

const flagOf = (call: PluginCall, name: string): boolean =>
  ['true', '1', ''].includes(call.query.get(name) ?? 'false');

function offsetOf(call: PluginCall): number {
  const text = call.headers['upload-offset'];
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text))
    throw new AppError(
      'invalid-request',
      '/header/upload-offset: must be the number of bytes that are there',
    );
  return Number(text);
}
