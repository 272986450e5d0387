import type { Command } from 'commander';
import { printResult, toTable } from '../terminal.js';
import { onAction } from './action.js';

/** `gantry clusters ls|enrol|rm` */
export function addClusters(program: Command): void {
  const clusters = program.command('clusters').description('Edge clusters');
  onAction(
    clusters.command('ls').description('List clusters: live, silent, and enrolled ones that never reported'),
    async ({ client, output }) => {
      const known = await client.listClusters();
      const rows = known.map((one) => [one.name, one.state, one.url, one.flavours.join(','), one.last_seen]);
      printResult(
        output,
        known,
        toTable(['NAME', 'STATE', 'URL', 'FLAVOURS', 'LAST HEARTBEAT'], rows, 'No clusters yet.'),
      );
    },
  );
  onAction(
    clusters
      .command('enrol <name>')
      .description('Make the enrolment token of an edge cluster (administrators)'),
    async ({ client, output }, [name = '']) => {
      const token = await client.enrolCluster(name);
      const next =
        'Put it into a file of mode 0600 and give that to the edge frontend as GANTRY_ENROLMENT_TOKEN_FILE.';
      printResult(output, { name, enrolment_token: token }, `${token}\nShown once. ${next}`);
    },
  );
  onAction(
    clusters.command('rm <name>').description('Remove a cluster and its enrolment (administrators)'),
    async ({ client, output }, [name = '']) => {
      await client.removeCluster(name);
      printResult(output, { removed: name }, `Removed ${name}`);
    },
  );
}
