/** `node agent.js URL [CONNECTIONS]`: the node. It listens, for the direct way, and dials the bridge. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dialTunnel } from '@gantry/tunnel';
import { answer } from './origin.js';

const [url = '', connections = '1'] = process.argv.slice(2);
const server = createServer({ noDelay: true }, (request, response) => answer({ request, response }));
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  const dialler = dialTunnel({
    url,
    connections: Number(connections),
    handler: (request, response) => answer({ request, response }),
    onState: () => {
      if (dialler.states.every(({ kind }) => kind === 'connected')) process.send?.({ kind: 'ready', port });
    },
  });
});
process.on('disconnect', () => process.exit(0));
