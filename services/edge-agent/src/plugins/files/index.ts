import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentPlugin } from '../../core/ports.js';
import { type FilesConfig, filesConfigSchema, type RootSettings } from './config.js';
import { buildFileRoutes } from './file-routes.js';
import { openRoots } from './roots.js';
import { SafePaths } from './safe-path.js';
import { buildStagingRoutes } from './staging-routes.js';
import { Uploads } from './uploads.js';

const sweepEveryMs = 600_000;

/** The files of the node, as far as its operator shares them. */
export const filesPlugin: AgentPlugin<FilesConfig> = {
  name: 'files',
  aliases: ['staging'],
  version: '1.0.0',
  configSchema: filesConfigSchema,
  ui: {
    icon: '📁',
    title: 'Files',
    description: 'Folders of the node: list, upload, download.',
  },
  // The checks against escaping links rest on file descriptors having a path.
  isSupported: async () =>
    process.platform === 'linux' ? true : `needs Linux (/proc/self/fd); this is ${process.platform}`,
  start: async (context) => {
    let { config } = context;
    await mkdir(join(context.dataDir, 'own'), { recursive: true, mode: 0o700 });
    const own: RootSettings = {
      name: 'own',
      path: join(context.dataDir, 'own'),
      writable: true,
      create: true,
    };
    const pathsFor = async (user: string) => {
      const settings = config.ownFolder ? [own, ...config.roots] : config.roots;
      return new SafePaths(await openRoots(settings, user));
    };
    const uploads = new Uploads({
      folder: join(context.dataDir, 'uploads'),
      clock: context.clock,
      logger: context.logger,
      limits: () => ({
        ttlMs: config.uploadTtlHours * 3600_000,
        maxPerUser: config.maxUploadsPerUser,
        maxFileBytes: config.maxFileBytes,
      }),
      pathsFor,
    });
    const sweep = () => {
      uploads
        .sweep()
        .catch((error: unknown) => context.logger.warn('uploads cannot be cleaned up', { error }));
    };
    sweep();
    const timer = setInterval(sweep, sweepEveryMs);
    timer.unref();
    const deps = {
      config: () => config,
      pathsFor: (call: { readonly caller: { readonly user: string } }) => pathsFor(call.caller.user),
      uploads,
      threads: context.threads,
    };
    return {
      routes: [...buildFileRoutes(deps), ...buildStagingRoutes(deps)],
      configure: (changed) => {
        config = changed;
      },
      health: () => ({ status: 'healthy' }),
      stop: async () => clearInterval(timer),
    };
  },
};
