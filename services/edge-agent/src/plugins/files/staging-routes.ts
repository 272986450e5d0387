/** The routes of the older plugin `staging`: whole files as base64 in JSON, with the status codes that its clients read. */
import { posix } from 'node:path';
import { stagingGetSchema, stagingListSchema, stagingPutSchema } from '@gantry/contracts';
import { AppError, hasCode } from '@gantry/kernel';
import type { z } from 'zod';
import type { PluginCall, PluginReply, PluginRoute } from '../../core/ports.js';
import { openOrMake } from './change-folder.js';
import type { FilesConfig } from './config.js';
import { listFolder } from './list-folder.js';
import type { SafePaths } from './safe-path.js';
import { createPart, demandSpace, finishPart, newPartName, removePart } from './write-file.js';

export interface StagingDeps {
  readonly config: () => FilesConfig;
  readonly pathsFor: (call: PluginCall) => Promise<SafePaths>;
}

/** Everything of a folder at once, as the older clients expect it. */
const maxListed = 200_000;

export function buildStagingRoutes(deps: StagingDeps): readonly PluginRoute[] {
  const post = (path: string, permission: string, handler: (call: PluginCall) => Promise<PluginReply>) => ({
    method: 'POST' as const,
    path,
    permission,
    maxBodyBytes: 512 * 1024 * 1024,
    handler: async (call: PluginCall) => withOldStatus(() => handler(call)),
  });
  return [
    post('/put/:sid', 'files:write', (call) => put(call, deps)),
    post('/get/:sid', 'files:read', (call) => get(call, deps)),
    post('/list/:sid', 'files:read', (call) => list(call, deps)),
  ];
}

async function put(call: PluginCall, { config, pathsFor }: StagingDeps): Promise<PluginReply> {
  const { maxStagingBytes } = config();
  const request = await readBody(call, stagingPutSchema, Math.ceil((maxStagingBytes * 4) / 3) + 65_536);
  const { filename, content, overwrite = false } = request;
  const paths = await pathsFor(call);
  demandAbsolute(filename, 'filename');
  const bytes = decodeBase64(content);
  if (bytes.length > maxStagingBytes)
    throw new AppError('body-too-large', `Files are at most ${maxStagingBytes} bytes here; use an upload`);
  const whole = paths.normalize(filename);
  // A root itself is refused before anything is made.
  const name = posix.basename(whole);
  if (paths.roots.some(({ path, realPath }) => path === whole || realPath === whole))
    throw new AppError('invalid-path', `${filename}: it is a folder`);
  const folder = await openOrMake(paths, posix.dirname(whole));
  const part = newPartName();
  try {
    folder.demandWritable();
    await demandSpace(folder, bytes.length);
    const handle = await createPart(folder, part);
    try {
      await handle.writeFile(bytes);
      const conditions = { ifMatch: undefined, ifNoneMatch: undefined };
      await finishPart(folder, part, handle, name, { overwrite, conditions, mode: undefined });
    } finally {
      await handle.close();
    }
    return { json: { path: posix.join(folder.realPath, name), size: bytes.length } };
  } finally {
    await removePart(folder, part);
    await folder.close();
  }
}

async function get(call: PluginCall, { config, pathsFor }: StagingDeps): Promise<PluginReply> {
  const { filename } = await readBody(call, stagingGetSchema);
  demandAbsolute(filename, 'filename');
  const { handle, stats, path } = await (await pathsFor(call)).openFile(filename);
  try {
    const { maxStagingBytes } = config();
    if (stats.size > maxStagingBytes)
      throw new AppError(
        'body-too-large',
        `${filename} has ${stats.size} bytes; GET content gives files of more than ${maxStagingBytes}`,
      );
    const bytes = await handle.readFile();
    return { json: { path, size: bytes.length, content: bytes.toString('base64') } };
  } finally {
    await handle.close();
  }
}

async function list(call: PluginCall, { pathsFor }: StagingDeps): Promise<PluginReply> {
  const { path } = await readBody(call, stagingListSchema);
  demandAbsolute(path, 'path');
  const folder = await listFolder(await pathsFor(call), path, { after: undefined, limit: maxListed });
  const entries = folder.entries.map(({ name, type, size }) => ({
    name,
    type: type === 'file' || type === 'dir' ? type : 'unknown',
    size,
  }));
  return { json: { path: folder.path, entries } };
}

/** A field that is missing is 400 there. */
async function readBody<T>(call: PluginCall, schema: z.ZodType<T>, maxBytes?: number): Promise<T> {
  try {
    return await call.readJson(schema, maxBytes);
  } catch (error) {
    if (!hasCode(error, 'invalid-request')) throw error;
    const field = error.errors?.[0]?.pointer.split('/').at(-1) ?? 'body';
    throw new AppError('malformed-request', `Missing '${field}'`, { cause: error });
  }
}

function demandAbsolute(path: string, field: string): void {
  if (path === '') throw new AppError('malformed-request', `Missing '${field}'`);
  if (!path.startsWith('/') || path.includes('\0'))
    throw new AppError('invalid-path', `Path must be absolute: ${path.slice(0, 500)}`);
}

function decodeBase64(text: string): Buffer {
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text))
    throw new AppError('malformed-request', `'content' is not base64`);
  return Buffer.from(text, 'base64');
}

/** Escapes and wrong kinds are 400 there; what the operating system forbids is 403, as here. */
async function withOldStatus(work: () => Promise<PluginReply>): Promise<PluginReply> {
  try {
    return await work();
  } catch (error) {
    if (hasCode(error, 'path-refused') || hasCode(error, 'wrong-file-type'))
      throw new AppError('invalid-path', error.message, { cause: error });
    throw error;
  }
}
