/** `node agents.js URL`: gets credentials as messages and dials with each; they stay connected and do nothing else. */
import { randomUUID } from 'node:crypto';
import { connectionHeader, instanceHeader } from '@gantry/contracts';
import { dialTunnel } from '@gantry/tunnel';

const [url = ''] = process.argv.slice(2);
process.on('disconnect', () => process.exit(0));
process.on('message', ({ credential }: { credential: string }) => {
  const instance = randomUUID();
  dialTunnel({
    url,
    headers: () => ({
      authorization: `Bearer ${credential}`,
      [instanceHeader]: instance,
      [connectionHeader]: '0',
    }),
    limits: { handshakeTimeoutMs: 60_000 },
    handler: (request, response) => {
      if (request.url.startsWith('/agent/')) response.statusCode = 404;
      response.end();
    },
  });
});
process.send?.({ kind: 'ready' });
