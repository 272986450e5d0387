import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { readEnvironment } from '@gantry/config';
import { agentProgram, agentUnit } from '@gantry/edge-agent/program';
import { type AgentOnMachine, readAgentStatus } from '@gantry/edge-agent/status';
import type { Command } from 'commander';
import { NotRunningError } from '../connection.js';
import { printResult, toTable } from '../terminal.js';
import { onLocalAction } from './action.js';

/** `gantry agent up|status|unit`: on the machine that is the node. */
export function addAgent(program: Command): void {
  const agent = program
    .command('agent')
    .description('The agent of this machine, which makes it a node of a bridge');
  agent
    .command('up')
    .description(
      'Run the agent in this terminal: what "gantry nodes enrol NAME" prints; see config/edge-agent.yaml',
    )
    // The configuration reads them; these lines are for the help.
    .option('--name <name>', 'the node (GANTRY_AGENT_NAME; default: the name of the machine)')
    .option('--bridge-url <url>', 'the bridge that it dials (GANTRY_BRIDGE_URL)')
    .option('--bridge-ca-file <path>', 'the authority of the bridge, PEM (GANTRY_BRIDGE_CA_FILE)')
    .option(
      '--enrolment-token-file <path>',
      'the one-time token; "-" reads it from standard input (GANTRY_NODE_ENROLMENT_TOKEN_FILE)',
    )
    .option('--data-dir <path>', 'its folder (GANTRY_AGENT_DATA_DIR; default ./agent-data)')
    .allowUnknownOption();
  const status = agent
    .command('status')
    .description('Show whether the agent of this machine runs and is connected')
    .addHelpText(
      'after',
      '\n--data-dir names its data folder (GANTRY_AGENT_DATA_DIR; default ./agent-data).',
    );
  onLocalAction<{ dataDir?: string }>(status, async (output, _words, { dataDir: given }) => {
    const dataDir = given ?? readEnvironment('GANTRY_AGENT_DATA_DIR') ?? './agent-data';
    const found = await readAgentStatus(dataDir);
    if (found.pid === null && !output.isJson) throw notRunning(dataDir, found);
    printResult(output, { data_dir: resolve(dataDir), ...found }, toText(found));
    if (found.status?.is_connected !== true) process.exitCode = 4;
  });
  const unit = agent
    .command('unit')
    .description(
      'Print a systemd unit that runs the agent of this checkout; its head says how to put it in place',
    )
    .option('--run-as <user>', 'whose rights the agent and its jobs have');
  onLocalAction<{ runAs?: string }>(unit, async (output, _words, { runAs = userInfo().username }) => {
    const text = toUnit(readFileSync(agentUnit, 'utf8'), runAs);
    printResult(output, { unit: text }, text.trimEnd());
  });
}

function notRunning(dataDir: string, { enrolled_as: name }: AgentOnMachine): NotRunningError {
  const folder = resolve(dataDir);
  return new NotRunningError(
    name === null
      ? `no agent runs in ${folder}, and no node is enrolled there; "gantry nodes enrol NAME" prints how to begin`
      : `no agent runs in ${folder}; start the one of "${name}" again with "gantry agent up"`,
  );
}

function toText({ enrolled_as, pid, status }: AgentOnMachine): string {
  if (status === null)
    return `The agent with process id ${pid} is starting, or enrolling as ${enrolled_as ?? 'a node'}.`;
  const { bridge_url, config, events, is_connected, node, not_connected_because, plugins } = status;
  const rows = [
    ['bridge', `${bridge_url} (${is_connected ? 'connected' : 'not connected'})`],
    ...(not_connected_because === null ? [] : [['because', not_connected_because]]),
    ['process', pid],
    ['version', status.version],
    ['started', status.started_at],
    ['settings', config.revision === null ? 'none from the bridge' : `revision ${config.revision}`],
    ...(config.refused === null ? [] : [['settings refused', config.refused.reason]]),
    ['events waiting', events.waiting],
    ...(events.dropped_total === 0 ? [] : [['events dropped', events.dropped_total]]),
  ];
  const table = plugins.map(({ name, reason, state }) => [name, state, reason]);
  return `${toTable([node, ''], rows, '')}\n\n${toTable(['PLUGIN', 'STATE', 'WHY'], table, 'No plugins.')}`;
}

/** The shipped unit with the paths of this machine. */
export function toUnit(template: string, user: string): string {
  return template
    .replace(/^ExecStart=.*$/m, `ExecStart=${[process.execPath, agentProgram].map(quoted).join(' ')}`)
    .replace(/^User=.*$/m, `User=${user}`);
}

/** As systemd reads words: with specifiers and variables doubled. */
const quoted = (word: string): string => {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+=:,./$-]+$/.test(plain) ? plain : JSON.stringify(plain);
};
