/** A bridge behind TLS with an authority of one's own: agents and the command line verify it, and take no other. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { promisify } from 'node:util';
import { agentProgram } from '@gantry/edge-agent/program';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { agentEnv, startBridge, type TestBridge } from '../support/bridge.js';
import { gantry } from '../support/platform.js';
import { root, startNode, until } from '../support/processes.js';

let bridge: TestBridge;
let folder: string;
let caFile: string;
let cloudUrl: string;
let bridgeUrl: string;
const servers: Server[] = [];

const listening = async (server: Server): Promise<string> => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://localhost:${(server.address() as AddressInfo).port}`;
};

beforeAll(async () => {
  bridge = await startBridge();
  folder = mkdtempSync(join(tmpdir(), 'gantry-tls-'));
  caFile = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-keyout', key, '-out', caFile, ...names],
  ]);
  const tls = { key: readFileSync(key), cert: readFileSync(caFile) };
  const { port } = new URL(bridge.url);
  // What ends TLS before a bridge: bytes in, bytes out.
  const proxy = createServer(tls, (socket) => {
    const inner = connect(Number(port), '127.0.0.1');
    socket.on('error', () => inner.destroy());
    inner.on('error', () => socket.destroy());
    socket.on('close', () => inner.destroy());
    inner.on('close', () => socket.destroy());
    socket.pipe(inner).pipe(socket);
  });
  proxy.on('tlsClientError', () => undefined);
  bridgeUrl = await listening(proxy);
  const token = await bridge.tokenOf('root');
  const cloud = createHttpsServer(tls, (_request, response) => {
    response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(token));
  });
  cloud.on('tlsClientError', () => undefined);
  cloudUrl = await listening(cloud);
  writeFileSync(join(folder, 'password'), 'any password', { mode: 0o600 });
});

afterAll(async () => {
  await bridge.stop();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function cli(env: Record<string, string>): Promise<{ code: number; output: string }> {
  const args = [gantry, 'nodes', 'ls', '--json'];
  const base = { PATH: process.env['PATH'] ?? '', GANTRY_CLOUD_URL: cloudUrl, GANTRY_BRIDGE_URL: bridgeUrl };
  const all = { ...base, GANTRY_PASSWORD_FILE: join(folder, 'password'), ...env };
  return await promisify(execFile)(process.execPath, args, { cwd: root, env: all }).then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    ({ code, stdout }: { code: number; stdout: string }) => ({ code, output: stdout }),
  );
}

async function agentOf(name: string, env: Record<string, string>) {
  const dataDir = mkdtempSync(join(folder, 'agent-'));
  const tokenFile = join(dataDir, 'token');
  writeFileSync(tokenFile, await bridge.enrol(name), { mode: 0o600 });
  return startNode(agentProgram, [], { ...agentEnv(bridgeUrl, name, dataDir, tokenFile), ...env });
}

describe('a bridge with an authority of its own', () => {
  it('is trusted by an agent that was given the authority, from its enrolment on', async () => {
    const agent = await agentOf('private', { GANTRY_BRIDGE_CA_FILE: caFile });
    await until('the agent to be connected', () => bridge.bridge.link.isConnected('private'));
    expect(await agent.stop()).toBe(0);
  });

  it('is not even shown the enrolment token by an agent without it', async () => {
    const agent = await agentOf('careful', {});
    await until('the refusal', () => /certificate|self-signed|fetch failed/i.test(agent.output()));
    await agent.stop();
    expect(await bridge.readNode('careful')).toMatchObject({ state: 'enrolled' });
  });

  it('is trusted by the command line with GANTRY_CA_FILE, and only then', async () => {
    expect(await cli({})).toMatchObject({ code: 4, output: expect.stringContaining('unreachable') });
    const { code, output } = await cli({ GANTRY_CA_FILE: caFile });
    expect({ code, nodes: JSON.parse(output) as unknown }).toMatchObject({
      code: 0,
      nodes: expect.any(Array),
    });
    expect(await cli({ GANTRY_CA_FILE: join(folder, 'none.pem') })).toMatchObject({ code: 2 });
  });
});
