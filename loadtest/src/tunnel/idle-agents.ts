/** `node idle-agents.js URL COUNT`: so many nodes that do nothing but stay connected. Ready when all are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { dialTunnel } from '@gantry/tunnel';

const [url = '', count = '1000'] = process.argv.slice(2);
const atATime = 50;
let connected = 0;
process.on('disconnect', () => process.exit(0));
for (let node = 0; node < Number(count); node += 1) {
  dialTunnel({
    url,
    limits: { handshakeTimeoutMs: 60_000 },
    handler: (_request, response) => void response.end(),
    onState: ({ kind }) => {
      if (kind === 'connected') connected += 1;
    },
  });
  while (node - connected >= atATime) await sleep(5);
}
while (connected < Number(count)) await sleep(5);
process.send?.({ kind: 'ready' });
