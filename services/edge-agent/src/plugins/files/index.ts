import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { withDeadline } from '@gantry/kernel';
import type { AgentPlugin } from '../../core/ports.js';
import { type FilesConfig, filesConfigSchema, type RootSettings } from './config.js';
import { buildFileRoutes } from './file-routes.js';
import { findUnusableRoots, openRoots } from './roots.js';
import { SafePaths } from './safe-path.js';
import { buildStagingRoutes } from './staging-routes.js';
import { sweepParts } from './sweep-parts.js';
import { Uploads } from './uploads.js';

const sweepEveryMs = 600_000;
const lookEveryMs = 30_000;
/** A root on a network that hangs must not keep the plugin from starting. */
const firstLookMs = 2000;

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
    const startedAtMs = context.clock.now();
    const sweepAll = async () => {
      await uploads.sweep();
      const common = config.roots.filter(({ path }) => !path.includes('{user}'));
      const roots = await openRoots(config.ownFolder ? [own, ...common] : common, '');
      // What this process writes right now is younger than it, however long it takes.
      const beforeMs = Math.min(startedAtMs, context.clock.now() - config.uploadTtlHours * 3600_000);
      const count = await sweepParts(new SafePaths(roots), await uploads.partNames(), beforeMs);
      if (count > 0)
        context.logger.info('parts of files that were left behind were deleted', {
          op: 'files.sweep',
          count,
        });
    };
    const sweep = () => {
      sweepAll().catch((error: unknown) => context.logger.warn('uploads cannot be cleaned up', { error }));
    };
    sweep();
    let problems: readonly string[] = [];
    let isStarted = false;
    const look = async () => {
      const { roots } = config;
      const found = await findUnusableRoots(roots);
      // Others may have been set meanwhile.
      if (roots !== config.roots || found.join() === problems.join()) return;
      problems = found;
      if (isStarted && !context.signal.aborted) context.healthChanged();
    };
    await withDeadline(look(), firstLookMs, 'the first look at the roots').catch(() => undefined);
    isStarted = true;
    const timers = [setInterval(sweep, sweepEveryMs), setInterval(() => void look(), lookEveryMs)];
    for (const timer of timers) timer.unref();
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
        void look();
      },
      health: () =>
        problems.length === 0
          ? { status: 'healthy' }
          : { status: 'degraded', detail: problems.join('; ').slice(0, 1000) },
      stop: async () => {
        for (const timer of timers) clearInterval(timer);
      },
    };
  },
};
