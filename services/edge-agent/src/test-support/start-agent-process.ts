import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type CallInit, callAgent } from './start-agent.js';

export interface AgentProcess {
  call(path: string, init?: CallInit): Promise<Response>;
  /** Ends it at once, without a word: what it started stays. */
  kill(): Promise<void>;
}

const program = fileURLToPath(new URL('./agent-process.fixture.js', import.meta.url));
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts the agent of agent-process.fixture and waits until it can be called. */
export async function startAgentProcess(
  dataDir: string,
  settings: Readonly<Record<string, unknown>>,
): Promise<AgentProcess> {
  const child = spawn(process.execPath, [program, dataDir, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const ended = once(child, 'exit').then(() => running.delete(child));
  const [line] = (await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => {
      throw new Error('The agent ended at its start');
    }),
  ])) as [Buffer];
  const url = line.toString().trim();
  return {
    call: (path, init = {}) => callAgent(url + path, init),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
