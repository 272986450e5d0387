import { readFileSync } from 'node:fs';
import type { NodeView } from '@gantry/contracts';
import type { Command } from 'commander';
import { printResult, toTable } from '../terminal.js';
import { onAction, take } from './action.js';
import { UsageError } from './usage-error.js';

const maxListed = 10_000;

/** `gantry nodes ls|show|enrol|share|revoke|rm|exec` */
export function addNodes(program: Command): void {
  const nodes = program.command('nodes').description('Edge nodes behind the bridge');
  onAction(
    nodes.command('ls').description('List the nodes that the account may see'),
    async ({ bridge, output }) => {
      const known = await take(bridge.nodes.list({ limit: 200 }), maxListed);
      const headings = ['NAME', 'STATE', 'VERSION', 'PLUGINS', 'OWNER', 'LATENCY', 'LAST SEEN'];
      printResult(
        output,
        known,
        toTable(headings, known.map(toRow), 'No nodes yet. Add one: gantry nodes enrol NAME'),
      );
    },
  );
  onAction(
    nodes.command('show <name>').description('Show what is known of a node'),
    async ({ bridge, output }, [name = '']) => {
      const node = await bridge.nodes.show(name);
      printResult(output, node, toText(node));
    },
  );
  addEnrol(nodes);
  addShare(nodes);
  onAction(
    nodes.command('revoke <name>').description('End the credential and the connection of a node'),
    async ({ bridge, output }, [name = '']) => {
      const node = await bridge.nodes.revoke(name);
      printResult(output, node, `Revoked ${name}. "gantry nodes enrol ${name} --replace" brings it back.`);
    },
  );
  onAction(
    nodes.command('rm <name>').description('Forget a node; its name is free then'),
    async ({ bridge, output }, [name = '']) => {
      await bridge.nodes.remove(name);
      printResult(output, { removed: name }, `Removed ${name}`);
    },
  );
  addExec(nodes);
}

function addEnrol(nodes: Command): void {
  const command = nodes
    .command('enrol <name>')
    .description('Make a one-time token for a node, and say what to run there')
    .option('--owner <user>', 'whose node it is (administrators; default: the account)')
    .option('--label <name=value...>', 'what the node is, for selectors')
    .option('--replace', 'for a node that exists: its credential stops working once the token is used')
    .option('--original', 'for an edge service of RADICAL Edge: print the URL that it is given');
  type Options = { owner?: string; label?: string[]; replace?: boolean; original?: boolean };
  onAction<Options>(command, async ({ bridge, output }, [name = ''], { label, original, owner, replace }) => {
    const enrolment = await bridge.nodes.enrol(name, { owner, replace, labels: toLabels(label ?? []) });
    if (original === true) {
      const { credential } = await bridge.nodes.redeem(name, enrolment.enrolment_token);
      const url = `${bridge.url}/t/${credential}`;
      const text = `${url}\nShown once; it is the credential of the node. Run there: radical-edge-service.py --name ${name} --url <URL>`;
      printResult(output, { name, url }, text);
      return;
    }
    const lines = [
      `Run on ${name}, as the user that its work is to run as:`,
      '',
      `  umask 077; echo ${enrolment.enrolment_token} > enrolment-token`,
      `  GANTRY_BRIDGE_URL=${bridge.url} GANTRY_AGENT_NAME=${name} \\`,
      '    GANTRY_NODE_ENROLMENT_TOKEN_FILE=enrolment-token node services/edge-agent/dist/main.js',
      '',
      `The token works once, until ${enrolment.expires_at}.`,
    ];
    printResult(output, { ...enrolment, bridge_url: bridge.url }, lines.join('\n'));
  });
}

function addShare(nodes: Command): void {
  const command = nodes
    .command('share <name> <user> [rights...]')
    .description(
      'Let a user ("*": everyone) use plugins of a node: "jobs:submit", "files:*", "*"; no rights: not any more',
    );
  onAction(command, async ({ bridge, output }, [name = '', user = '', ...rights]) => {
    const { grants } = await bridge.nodes.show(name);
    const others = (grants ?? []).filter((grant) => grant.user !== user);
    const node = await bridge.nodes.setGrants(
      name,
      rights.length === 0 ? others : [...others, { user, rights }],
    );
    printResult(
      output,
      node,
      rights.length === 0
        ? `${user} has no rights on ${name}`
        : `${user} may ${rights.join(', ')} on ${name}`,
    );
  });
}

function addExec(nodes: Command): void {
  const command = nodes
    .command('exec <name> <plugin> <path>')
    .description('Call a route of a plugin: gantry nodes exec NAME sysinfo metrics')
    .option('-X, --method <method>', 'GET, or POST when there are data')
    .option('-d, --data <json>', 'body to send; @FILE reads it from a file');
  onAction<{ method?: string; data?: string }>(
    command,
    async ({ bridge, output }, [name = '', plugin = '', path = ''], { data, method }) => {
      const body = data?.startsWith('@') === true ? readFileSync(data.slice(1), 'utf8') : data;
      const answer = await bridge
        .node(name)
        .plugin(plugin)
        .request(path, {
          method: method?.toUpperCase() ?? (body === undefined ? 'GET' : 'POST'),
          ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
        });
      const text = await answer.text();
      if (!output.isJson) printResult(output, undefined, prettied(text));
      else printResult(output, { status: answer.status, body: parsed(text) }, '');
    },
  );
}

const toRow = (node: NodeView) => [
  node.name,
  node.state,
  node.version,
  node.plugins
    .filter(({ state }) => state === 'running')
    .map(({ name }) => name)
    .join(','),
  node.owner,
  node.latency_ms === null ? null : `${node.latency_ms.toFixed(1)} ms`,
  node.last_seen,
];

function toText(node: NodeView): string {
  const rows = [
    ['state', node.state],
    ['version', node.version],
    ['owner', node.owner],
    [
      'labels',
      Object.entries(node.labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(', '),
    ],
    ['connections', node.connections],
    ['lease', node.lease_epoch],
    ['last seen', node.last_seen],
    ['your rights', node.rights.join(', ')],
    ['shared with', node.grants?.map(({ rights, user }) => `${user} (${rights.join(', ')})`).join(', ')],
  ];
  const plugins = node.plugins.map(({ name, reason, state, version }) => [name, version, state, reason]);
  return `${toTable([node.name, ''], rows, '')}\n\n${toTable(['PLUGIN', 'VERSION', 'STATE', 'WHY'], plugins, 'No plugins known yet.')}`;
}

function toLabels(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at < 1) throw new UsageError(`"${word}" is no label; write name=value`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function prettied(text: string): string {
  const value = parsed(text);
  return typeof value === 'string' ? text : JSON.stringify(value, null, 2);
}
