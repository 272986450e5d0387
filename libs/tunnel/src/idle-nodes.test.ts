/** Many nodes on one bridge; what each costs is measured by `npm run bench:tunnel`. */
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startBridge } from './bridge.fixture.js';
import { type Dialler, dialTunnel } from './dial-tunnel.js';
import { closeLater, closePairs, until } from './pair.fixture.js';

afterEach(closePairs);

const nodes = 1000;

describe('1,000 nodes on one bridge', () => {
  it('are all connected and all answer, each for itself', async () => {
    const bridge = await startBridge({ limits: { handshakeTimeoutMs: 60_000 } });
    closeLater(() => bridge.stop());
    const diallers: Dialler[] = [];
    closeLater(
      async () => void (await Promise.all(diallers.map((dialler) => dialler.close({ graceMs: 0 })))),
    );
    for (let node = 0; node < nodes; node += 1) {
      diallers.push(
        dialTunnel({
          url: bridge.url,
          headers: () => ({ 'x-node': `node-${node}` }),
          limits: { handshakeTimeoutMs: 60_000 },
          handler: (_request, response) => void response.end(`I am node-${node}`),
        }),
      );
      // As many handshakes at a time as a real fleet spreads by its jitter.
      await until(() => node - bridge.tunnels.length < 50, 'the handshakes keep up', 60_000);
    }
    await until(() => bridge.tunnels.length === nodes, 'all are connected', 60_000);
    const answers = await Promise.all(
      bridge.tunnels.map(async (tunnel) => {
        const answer = await tunnel.request({ method: 'GET', path: '/' });
        return (await text(answer.body)) === `I am ${tunnel.name}`;
      }),
    );
    expect(answers.filter(Boolean)).toHaveLength(nodes);
    expect(new Set(bridge.tunnels.map(({ name }) => name)).size).toBe(nodes);
  }, 300_000);
});
