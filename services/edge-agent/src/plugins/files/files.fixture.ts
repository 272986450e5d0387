import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CallInit, type RunningAgent, startAgent } from '../../test-support/start-agent.js';
import { filesPlugin } from './index.js';

/** An agent that shares `shared` (writable) and `fixed` (not), with `outside` beside them. */
export interface FilesFixture {
  readonly top: string;
  readonly shared: string;
  readonly fixed: string;
  readonly outside: string;
  readonly own: string;
  running(): RunningAgent;
  call(path: string, init?: CallInit): Promise<Response>;
  /** The body of a JSON answer, with its status. */
  ask(path: string, init?: CallInit): Promise<{ status: number; body: Record<string, unknown> }>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startFiles(settings: Readonly<Record<string, unknown>> = {}): Promise<FilesFixture> {
  const top = await mkdtemp(join(tmpdir(), 'gantry-files-'));
  const at = (name: string) => join(top, name);
  for (const name of ['shared', 'fixed', 'outside']) await mkdir(at(name));
  const options = {
    dataDir: at('data'),
    settings: {
      files: {
        roots: [
          { name: 'shared', path: at('shared'), writable: true },
          { name: 'fixed', path: at('fixed') },
        ],
        ...settings,
      },
    },
  };
  let running = await startAgent([filesPlugin], options);
  const call = (path: string, init?: CallInit) => running.call(`/files${path}`, init);
  return {
    top,
    shared: at('shared'),
    fixed: at('fixed'),
    outside: at('outside'),
    own: at('data/plugins/files/own'),
    running: () => running,
    call,
    ask: async (path, init) => {
      const response = await call(path, init);
      const text = await response.text();
      return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
    },
    restart: async () => {
      await running.stop({ keepData: true });
      running = await startAgent([filesPlugin], options);
    },
    stop: async () => {
      await running.stop();
      await rm(top, { recursive: true, force: true });
    },
  };
}

export const q = encodeURIComponent;
