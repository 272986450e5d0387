/** The agent trusts the authorities it was given, and nobody else. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { DialTls } from './agent-connection.js';
import { dialTunnel } from './dial-tunnel.js';
import type { DialState } from './dialler-state.js';
import { closeLater, closePairs, until } from './pair.fixture.js';
import type { Tunnel } from './tunnel.js';
import { TunnelDoor } from './tunnel-door.js';

const folder = mkdtempSync(join(tmpdir(), 'gantry-tunnel-tls-'));
const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') };

beforeAll(() => {
  const subject = ['-subj', '/CN=bridge', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  execFileSync('openssl', ['req', ...kind, ...subject, '-keyout', files.key, '-out', files.cert], {
    stdio: 'ignore',
  });
});
afterEach(closePairs);
afterAll(() => rmSync(folder, { recursive: true }));

async function openBridge() {
  const door = new TunnelDoor();
  const tunnels: Tunnel[] = [];
  const server = createServer({ key: readFileSync(files.key), cert: readFileSync(files.cert) });
  server.on('upgrade', (request, socket, head) => {
    door.accept(request, socket, head, 'a node').then(
      (tunnel) => tunnels.push(tunnel),
      () => undefined,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closeLater(async () => {
    for (const tunnel of tunnels) tunnel.close('the test is over');
    server.closeAllConnections();
    server.close();
  });
  return { tunnels, url: `wss://127.0.0.1:${(server.address() as AddressInfo).port}/tunnel` };
}

function dial(url: string, tls: DialTls) {
  const states: DialState[] = [];
  const dialler = dialTunnel({
    url,
    tls,
    handler: (request, response) => void request.pipe(response),
    onState: (state) => states.push(state),
  });
  closeLater(() => dialler.close({ graceMs: 0 }));
  return states;
}

describe('a bridge with a certificate of a private authority', () => {
  it('is trusted by an agent that was given the authority, and bytes pass unchanged', async () => {
    const { url, tunnels } = await openBridge();
    dial(url, { ca: readFileSync(files.cert) });
    await until(() => tunnels.length === 1, 'the agent is connected');
    const body = 'x'.repeat(2 * 1024 * 1024);
    const [tunnel] = tunnels as [Tunnel];
    const answer = await tunnel.request({ method: 'POST', path: '/', body });
    expect(await text(answer.body)).toBe(body);
  });

  it.each<[string, DialTls]>([
    ['was given none', {}],
    ['expects another name', { servername: 'other.example' }],
  ])('is refused by an agent that %s', async (_title, tls) => {
    const { url, tunnels } = await openBridge();
    const ca = tls.servername === undefined ? {} : { ca: readFileSync(files.cert) };
    const states = dial(url, { ...tls, ...ca });
    await until(() => states.some(({ kind }) => kind === 'waiting'), 'the agent has tried');
    expect(states.find(({ kind }) => kind === 'waiting')).toMatchObject({ after: { kind: 'unreachable' } });
    expect(tunnels).toHaveLength(0);
  });
});
