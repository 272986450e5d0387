import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type GantryClient, isGantryError } from '@gantry/client';
import { readEnvironment } from '@gantry/config';
import type { NodeEnrolment, NodeView } from '@gantry/contracts';
import type { Command } from 'commander';
import { note, printResult, toTable } from '../terminal.js';
import { onAction, take } from './action.js';
import { addExec } from './node-exec.js';
import { addNodeSettings, toText as toSettingsText } from './node-settings.js';
import { UsageError } from './usage-error.js';

const maxListed = 10_000;
type NodePlugin = NodeView['plugins'][number];

/** `gantry nodes ls|show|enrol|share|settings|revoke|rm|exec|call` */
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
  addNodeSettings(nodes);
  addExec(nodes);
  addCall(nodes);
}

function addEnrol(nodes: Command): void {
  const command = nodes
    .command('enrol <name>')
    .description('Make a one-time token for a node, and say what to run there')
    .option('--owner <user>', 'whose node it is (administrators; default: the account)')
    .option('--label <name=value...>', 'what the node is, for selectors')
    .option(
      '--replace',
      'for a node that exists: stop its agent first, as its credential ends once the token is used',
    )
    .option('--original', 'for an edge service of RADICAL Edge: print the URL that it is given');
  type Options = { owner?: string; label?: string[]; replace?: boolean; original?: boolean };
  onAction<Options>(command, async ({ bridge, output }, [name = ''], { label, original, owner, replace }) => {
    const enrolment = await bridge.nodes.enrol(name, { owner, replace, labels: toLabels(label ?? []) });
    const url = enrolment.bridge_url ?? bridge.url;
    if (isLoopback(url))
      note(
        `Only this machine reaches ${url}; for others the bridge needs GANTRY_BRIDGE_PUBLIC_URL, behind TLS.`,
      );
    if (original === true) {
      const { credential } = await bridge.nodes.redeem(name, enrolment.enrolment_token);
      const edgeUrl = `${url}/t/${credential}`;
      // Not with --url: what stands in arguments is seen by everybody on the machine.
      const text = `${edgeUrl}\nShown once; it is the credential of the node. Keep it there in a file that only its user reads, and run:\n  RADICAL_BRIDGE_URL="$(cat FILE)" radical-edge-service.py --name ${name}`;
      printResult(output, { name, url: edgeUrl }, text);
      return;
    }
    const caFile = readEnvironment('GANTRY_CA_FILE');
    const command = toAgentCommand(enrolment, url, caFile === undefined ? undefined : basename(caFile));
    const lines = [
      `Run on ${name}, where Gantry is installed, as the user that its work is to run as:`,
      '',
      `  ${command}`,
      '',
      ...(caFile === undefined ? [] : [`The authority of the bridge, ${caFile}, has to lie there too.`]),
      `The token works once, until ${enrolment.expires_at}. After that "npx gantry agent up --name ${name} --bridge-url ${url}"`,
      'starts it again; "npx gantry agent unit" prints a systemd unit that does.',
    ];
    if (replace === true)
      note(`Stop the agent that runs as ${name} first: its credential ends with the token.`);
    printResult(output, { ...enrolment, bridge_url: url, command }, lines.join('\n'));
  });
}

/** The token goes through a pipe: what stands in arguments is seen by everybody on the machine. */
const toAgentCommand = (
  { enrolment_token, name }: Pick<NodeEnrolment, 'enrolment_token' | 'name'>,
  url: string,
  caFile: string | undefined,
): string =>
  `echo ${enrolment_token} | npx gantry agent up --name ${name} --bridge-url ${url}` +
  `${caFile === undefined ? '' : ` --bridge-ca-file ${caFile}`} --enrolment-token-file -`;

const isLoopback = (url: string): boolean =>
  /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(new URL(url).hostname);

function addShare(nodes: Command): void {
  const command = nodes
    .command('share <name> <user> [rights...]')
    .description(
      'Let a user ("*": everyone) use plugins of a node: "jobs:submit", "files:*", "*"; no rights: not any more',
    );
  onAction(command, async ({ bridge, client, output }, [name = '', user = '', ...rights]) => {
    const { grants, plugins } = await bridge.nodes.show(name);
    demandPlugins(name, plugins, rights);
    const others = (grants ?? []).filter((grant) => grant.user !== user);
    const node = await bridge.nodes.setGrants(
      name,
      rights.length === 0 ? others : [...others, { user, rights }],
    );
    if (rights.length > 0 && user !== '*' && (await isKnownMissing(client, user)))
      note(`There is no account ${user} yet; it has these rights once there is.`);
    printResult(
      output,
      node,
      rights.length === 0
        ? `${user} has no rights on ${name}`
        : `${user} may ${rights.join(', ')} on ${name}`,
    );
  });
}

/** A right for what the node does not have is mostly a mistake. A node that never came has told nothing yet. */
export function demandPlugins(
  node: string,
  plugins: readonly Pick<NodePlugin, 'aliases' | 'name'>[],
  rights: readonly string[],
): void {
  if (plugins.length === 0) return;
  const known = new Set(['*', ...plugins.flatMap(({ aliases, name }) => [name, ...aliases])]);
  const missing = rights.filter((right) => !known.has(right.split(':', 1)[0] ?? ''));
  if (missing.length === 0) return;
  const names = plugins.map(({ name }) => name).join(', ');
  throw new UsageError(`${node} has no plugin for ${missing.join(', ')}; its plugins: ${names}`);
}

/** Only administrators may look; for others nothing is known. */
async function isKnownMissing(client: GantryClient, user: string): Promise<boolean> {
  try {
    for await (const { name } of client.listAccounts({ limit: 200 })) if (name === user) return false;
    return true;
  } catch (error) {
    if (isGantryError(error)) return false;
    throw error;
  }
}

function addCall(nodes: Command): void {
  const command = nodes
    .command('call <name> <plugin> <path>')
    .description('Call a route of a plugin: gantry nodes call NAME sysinfo metrics')
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
  const plugins = node.plugins.map(({ health, name, reason, state, version }) => {
    const isUnwell = health !== null && health.status !== 'healthy';
    return isUnwell
      ? [name, version, health.status, health.detail ?? reason]
      : [name, version, state, reason];
  });
  const parts = [
    toTable([node.name, ''], rows, ''),
    toTable(['PLUGIN', 'VERSION', 'STATE', 'WHY'], plugins, 'No plugins known yet.'),
    ...(node.settings_in_force === null ? [] : [toSettingsText(node)]),
  ];
  return parts.join('\n\n');
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
