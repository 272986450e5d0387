import { type BridgeClient, isGantryError, type NodeSettingsInput } from '@gantry/client';
import type { AgentConfigDocument, NodeView } from '@gantry/contracts';
import type { Command } from 'commander';
import { note, printResult, toTable } from '../terminal.js';
import { onAction } from './action.js';
import { UsageError } from './usage-error.js';

/** Somebody else may change the same settings meanwhile. */
const maxAttempts = 5;

interface Scope {
  /** As people call it. */
  readonly name: string;
  read(): Promise<AgentConfigDocument>;
  write(settings: NodeSettingsInput): Promise<unknown>;
}
interface LabelOption {
  readonly label?: string;
}

/** `gantry nodes settings get|set|unset` */
export function addNodeSettings(nodes: Command): void {
  const settings = nodes
    .command('settings')
    .description('Settings of the plugins of a node, or of all nodes with a label (administrators)');
  addGet(settings);
  const set = settings
    .command('set [words...]')
    .description('Change settings: gantry nodes settings set NODE sysinfo.intervalSeconds=30')
    .option(
      '--label <name=value>',
      'for all nodes with this label, instead of one node; its own go over them',
    )
    .option('--disable <plugin...>', 'plugins that are not to run')
    .option('--enable <plugin...>', 'plugins that were disabled here')
    .addHelpText(
      'after',
      '\nValues are JSON where they can be read as such, else text. They take effect without a restart.',
    );
  type SetOptions = LabelOption & { disable?: string[]; enable?: string[] };
  onAction<SetOptions>(set, async ({ bridge, output }, words, { disable = [], enable = [], label }) => {
    const { rest, scope } = scopeOf(bridge, words, label);
    const changes = rest.map(toChange);
    if (changes.length + disable.length + enable.length === 0)
      throw new UsageError('name what to set: PLUGIN.KEY=VALUE, --disable PLUGIN or --enable PLUGIN');
    const answer = await change(scope, ({ disabled, plugins }) => {
      const next = structuredClone(plugins);
      for (const { key, plugin, value } of changes) next[plugin] = { ...next[plugin], [key]: value };
      const off = new Set([...disabled, ...disable]);
      for (const plugin of enable) off.delete(plugin);
      return { disabled: [...off], plugins: next };
    });
    sayHowTaken(answer);
    printResult(output, answer, `Changed the settings of ${scope.name}`);
  });
  const unset = settings
    .command('unset [words...]')
    .description(
      'Forget settings: gantry nodes settings unset NODE sysinfo.intervalSeconds, or a whole PLUGIN',
    )
    .option('--label <name=value>', 'of all nodes with this label, instead of one node')
    .option('--all', 'everything');
  onAction<LabelOption & { all?: boolean }>(unset, async ({ bridge, output }, words, { all, label }) => {
    const { rest, scope } = scopeOf(bridge, words, label);
    if (all === true && label !== undefined) {
      await bridge.nodes.removeLabelSettings(label);
      printResult(output, { removed: label }, `Forgot the settings of ${scope.name}`);
      return;
    }
    if (rest.length === 0 && all !== true)
      throw new UsageError('name what to forget: PLUGIN.KEY, PLUGIN or --all');
    const answer = await change(scope, ({ disabled, plugins }) =>
      all === true ? { disabled: [], plugins: {} } : { disabled, plugins: without(plugins, rest) },
    );
    sayHowTaken(answer);
    printResult(output, answer, `Changed the settings of ${scope.name}`);
  });
}

function addGet(settings: Command): void {
  const command = settings
    .command('get [node]')
    .description(
      'Show what a node runs with, and which labels it is from; without a node, the settings of all labels',
    )
    .option('--label <name=value>', 'of this label only');
  onAction<LabelOption>(command, async ({ bridge, output }, [name], { label }) => {
    if (name !== undefined) {
      const node = await bridge.nodes.show(name);
      printResult(output, toSettings(node), toText(node));
      return;
    }
    const all = await bridge.nodes.labelSettings();
    const shown = label === undefined ? all : all.filter((one) => one.label === label);
    const rows = shown.flatMap((one) => toRows(one.settings).map((row) => [one.label, ...row]));
    const table = toTable(['LABEL', 'SETTING', 'VALUE'], rows, 'No settings for labels.');
    printResult(output, shown, table);
  });
}

function scopeOf(
  bridge: BridgeClient,
  words: readonly string[],
  label: string | undefined,
): { scope: Scope; rest: readonly string[] } {
  const { nodes } = bridge;
  const none: AgentConfigDocument = { revision: 0, disabled: [], plugins: {} };
  if (label !== undefined) {
    const read = async () =>
      (await nodes.labelSettings()).find((one) => one.label === label)?.settings ?? none;
    const write = (settings: NodeSettingsInput) => nodes.setLabelSettings(label, settings);
    return { scope: { name: label, read, write }, rest: words };
  }
  const [name, ...rest] = words;
  if (name === undefined || name.includes('='))
    throw new UsageError('name the node first, or a label with --label NAME=VALUE');
  const read = async () => (await nodes.show(name)).settings ?? none;
  const write = (settings: NodeSettingsInput) => nodes.setSettings(name, settings);
  return { scope: { name, read, write }, rest };
}

/** Only over what was read: a change that somebody else made meanwhile is not lost. */
async function change(
  scope: Scope,
  edit: (before: AgentConfigDocument) => Omit<AgentConfigDocument, 'revision'>,
): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    const before = await scope.read();
    try {
      return await scope.write({ ...edit(before), revision: before.revision });
    } catch (error) {
      if (!isGantryError(error, 'precondition-failed') || attempt >= maxAttempts) throw error;
    }
  }
}

/** `sysinfo.intervalSeconds=30`. @throws {UsageError} */
export function toChange(word: string): { plugin: string; key: string; value: unknown } {
  const [, plugin, key, text] = /^([a-z][a-z0-9_-]*)\.([^.=]+)=(.*)$/s.exec(word) ?? [];
  if (plugin === undefined || key === undefined || text === undefined)
    throw new UsageError(`"${word}" is no setting; write PLUGIN.KEY=VALUE`);
  try {
    return { plugin, key, value: JSON.parse(text) as unknown };
  } catch {
    return { plugin, key, value: text };
  }
}

/** @throws {UsageError} when one of the words is not there */
export function without(
  plugins: AgentConfigDocument['plugins'],
  words: readonly string[],
): AgentConfigDocument['plugins'] {
  const next = structuredClone(plugins);
  for (const word of words) {
    const [plugin = '', key] = word.split('.', 2);
    const part = next[plugin];
    if (part === undefined || (key !== undefined && !Object.hasOwn(part, key)))
      throw new UsageError(`"${word}" is not set here`);
    if (key !== undefined) delete part[key];
    if (key === undefined || Object.keys(part).length === 0) delete next[plugin];
  }
  return next;
}

/** What the answer alone does not say: nobody could check them, or the node did not take them. */
function sayHowTaken(answer: unknown): void {
  const { settings_applied: applied, state } = answer as Partial<NodeView>;
  if (state !== undefined && state !== 'connected')
    note('The node is not connected: it takes or refuses them when it comes.');
  else if (applied?.refused != null)
    note(`The node refused them and keeps the old ones: ${applied.refused.reason}`);
}

const toSettings = ({ settings, settings_applied, settings_in_force }: NodeView) => ({
  own: settings,
  in_force: settings_in_force,
  applied: settings_applied,
});

const toRows = ({ disabled, plugins }: Pick<AgentConfigDocument, 'disabled' | 'plugins'>): string[][] => [
  ...Object.entries(plugins).flatMap(([plugin, part]) =>
    Object.entries(part).map(([key, value]) => [`${plugin}.${key}`, JSON.stringify(value)]),
  ),
  ...disabled.map((plugin) => [plugin, 'disabled']),
];

/** What a node runs with; and what it refused. */
export function toText({
  settings,
  settings_applied: applied,
  settings_in_force: inForce,
}: NodeView): string {
  if (inForce === null) return 'Only the settings that the node itself has.';
  const own = new Set(toRows(settings ?? { disabled: [], plugins: {} }).map(([name]) => name));
  const rows = toRows(inForce).map((row) => [
    ...row,
    own.has(row[0]) ? 'the node' : inForce.labels.join(', '),
  ]);
  const table = toTable(['SETTING', 'VALUE', 'FROM'], rows, 'No settings.');
  return applied?.refused == null ? table : `${table}\n\nRefused by the node: ${applied.refused.reason}`;
}
