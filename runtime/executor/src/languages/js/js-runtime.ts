import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutorLimits } from '../../sandbox/protocol.js';
import type { LanguageRuntime, LaunchOptions, LaunchPlan } from '../language.js';

/** The file piscina loads in each thread: CommonJS, because `import()` from text is switched off. */
const threadEntry = `'use strict';
module.exports = import('./thread/run-call.js').then((module) => module.createServe());
`;

/** The compiled files the program consists of, relative to the package's `dist`. */
const programParts = ['languages/js', 'sandbox/frames.js', 'sandbox/protocol.js'] as const;

/** In one go: a runtime waits for it that loads its own program meanwhile. */
async function stage(folder: string): Promise<void> {
  const dist = fileURLToPath(new URL('../..', import.meta.url));
  const keep = (path: string) =>
    !path.endsWith('.test.js') && !path.endsWith('.map') && !path.endsWith('.d.ts');
  for (const part of programParts) {
    cpSync(join(dist, part), join(folder, part), { recursive: true, filter: keep });
  }
  const piscina = dirname(createRequire(import.meta.url).resolve('piscina')); // …/piscina/dist
  const target = join(folder, 'node_modules', 'piscina');
  mkdirSync(target, { recursive: true });
  cpSync(piscina, join(target, 'dist'), { recursive: true, filter: keep });
  cpSync(join(piscina, '..', 'package.json'), join(target, 'package.json'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}\n');
  writeFileSync(join(folder, 'languages', 'js', 'thread-entry.cjs'), threadEntry);
}

/** The permission model under its name in this version of Node. */
function permissionFlags(folder: string): string[] {
  const name = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  return [name, `--allow-fs-read=${folder}${sep}*`, '--allow-worker'];
}

function launch(folder: string, limits: ExecutorLimits, options: LaunchOptions): LaunchPlan {
  const flags = [
    ...(options.isRestricted ? permissionFlags(folder) : []),
    '--experimental-vm-modules',
    '--disallow-code-generation-from-strings',
    '--disable-proto=delete',
    '--no-addons',
    '--no-deprecation',
    '--no-warnings',
    // No --max-old-space-size: V8 would take it for every thread, in place of the limit of the thread itself.
  ];
  return {
    file: process.execPath,
    args: [...flags, join(folder, 'languages', 'js', 'child', 'main.js'), JSON.stringify(limits)],
    readableFolder: folder,
  };
}

/** JavaScript: ES modules in piscina threads of a Node process. */
export const jsRuntime: LanguageRuntime = {
  name: 'js',
  languages: ['JS'],
  freshRealm: 'thread',
  functionsPerProcess: 'many',
  bootsThreads: true,
  missing: () => Promise.resolve(undefined),
  stage,
  launch,
};
