import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, jest } from '@jest/globals';

jest.setTimeout(60_000);
const program = fileURLToPath(new URL('../test-support/watched-process.fixture.js', import.meta.url));

async function run(mode: string) {
  const child = spawn(process.execPath, [program, mode], { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, text };
}

describe('a process whose main thread', () => {
  it('is blocked for good ends with a line in the log, so that another can be started', async () => {
    const { signal, text } = await run('blocked');
    expect(signal).toBe('SIGKILL');
    expect(JSON.parse(text)).toMatchObject({ level: 'error', op: 'agent.blocked' });
  });

  it('is busy and gives way goes on, however long', async () => {
    expect(await run('busy')).toEqual({ code: 0, signal: null, text: '' });
  });
});
