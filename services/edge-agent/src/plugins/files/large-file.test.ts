import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

const program = fileURLToPath(new URL('../../test-support/agent-process.js', import.meta.url));
const gibibyte = 1024 ** 3;
const piece = Buffer.alloc(1024 * 1024, 'gantry');
const headers = {
  'test-caller': JSON.stringify({ user: 'ada', rights: ['*'], expiresAt: Date.now() + 3600_000 }),
};

let child: ReturnType<typeof spawn>;
let dataDir: string;
let url: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'gantry-large-'));
  child = spawn(process.execPath, [program, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout === null) throw new Error('no output');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  url = line.toString().trim();
});
afterAll(async () => {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  await rm(dataDir, { recursive: true, force: true });
});

async function memoryMiB(field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const text = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1]) / 1024;
}

/** By how much the process grew at its highest while `work` ran. */
async function growthMiB(work: () => Promise<void>): Promise<number> {
  // Forgets the highest value so far (proc(5)).
  await writeFile(`/proc/${child.pid}/clear_refs`, '5');
  const before = await memoryMiB('VmRSS');
  await work();
  return (await memoryMiB('VmHWM')) - before;
}

function* gigabyte(): Generator<Buffer> {
  for (let sent = 0; sent < gibibyte; sent += piece.length) yield piece;
}

async function upload(): Promise<void> {
  const put = request(`${url}/files/content?path=large`, { method: 'PUT', headers });
  const answered = once(put, 'response');
  await pipeline(Readable.from(gigabyte()), put);
  const [response] = (await answered) as [import('node:http').IncomingMessage];
  response.resume();
  expect(response.statusCode).toBe(201);
}

async function download(): Promise<string> {
  const get = request(`${url}/files/content?path=large`, { headers }).end();
  const [response] = (await once(get, 'response')) as [import('node:http').IncomingMessage];
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  expect(bytes).toBe(gibibyte);
  return hash.digest('hex');
}

it('a file of 1 GiB goes up, is summed up and comes down with less than 100 MB more memory', async () => {
  // Whatever is loaded at the first call is not counted.
  for (const path of ['/files/roots', '/files/list?path=.', '/sysinfo/metrics'])
    await fetch(url + path, { headers });
  expect(await growthMiB(upload)).toBeLessThan(95);
  let sum = '';
  const growth = await growthMiB(async () => {
    sum = await download();
  });
  expect(growth).toBeLessThan(95);
  const checksum = await growthMiB(async () => {
    const response = await fetch(`${url}/files/checksum?path=large`, { headers });
    expect(((await response.json()) as { checksum: string }).checksum).toBe(sum);
  });
  expect(checksum).toBeLessThan(95);
});
