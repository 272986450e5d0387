/**
 * Whether nodes would take settings, asked of connected ones before anything is kept: only they know their plugins.
 * What no node can be asked about is taken as it is, and refused by the node when it comes.
 */
import type { AgentConfigCheck, AgentConfigDocument } from '@gantry/contracts';
import { AppError, type FieldError, messageOf } from '@gantry/kernel';
import type { BridgeDeps } from '../deps.js';
import type { LabelDocuments } from './label-settings.js';
import { hasLabel, noSettings, resolveInForce } from './settings-in-force.js';

export type CheckDeps = Pick<BridgeDeps, 'feeds' | 'labelSettings' | 'logger' | 'records' | 'registry'>;

type Settings = Omit<AgentConfigDocument, 'revision'>;

/** Nodes of one version say the same; beyond so many versions nobody is asked. */
const maxAsked = 8;

/** @throws {AppError} invalid-request with the fields */
export async function checkNodeSettings(deps: CheckDeps, name: string, settings: Settings): Promise<void> {
  const record = await deps.records.find(name);
  const changed = { ...record, settings: { ...settings, revision: 0 } };
  const check = await ask(deps, name, resolveInForce(changed, await deps.labelSettings.all()) ?? noSettings);
  if (check !== undefined) refuse(check.errors, check.unknown_plugins, settings);
}

/** @throws {AppError} invalid-request with the fields */
export async function checkLabelSettings(deps: CheckDeps, label: string, settings: Settings): Promise<void> {
  const byLabel: LabelDocuments = new Map([
    ...(await deps.labelSettings.all()),
    [label, { ...settings, revision: 0 }],
  ]);
  const nodes = choose(deps, label);
  const alone = { ...settings, revision: 0 };
  const checks = await Promise.all(
    nodes.flatMap(({ isLabelled, name }) => [
      // By itself too: what other layers lay over a wrong value must not hide it.
      ask(deps, name, alone),
      ...(isLabelled ? [askInForce(deps, name, byLabel)] : []),
    ]),
  );
  const answered = checks.filter((check) => check !== undefined);
  if (answered.length === 0) return;
  const errors = answered.flatMap((check) => check.errors);
  // Of different versions, one may know what another does not.
  const isUnknown = (plugin: string) => answered.every((check) => check.unknown_plugins.includes(plugin));
  refuse(
    errors,
    [...new Set(answered.flatMap((check) => check.unknown_plugins))].filter(isUnknown),
    settings,
  );
}

async function askInForce(deps: CheckDeps, name: string, byLabel: LabelDocuments) {
  return await ask(deps, name, resolveInForce(await deps.records.find(name), byLabel) ?? noSettings);
}

/** One node of each version that has the label; when none has, any: they know what plugins take all the same. */
function choose({ records, registry }: CheckDeps, label: string) {
  const known = registry.holders
    .filter(({ link }) => link.kind === 'gantry' && link.isOpen)
    .flatMap(({ name }) => {
      const record = records.peek(name);
      return record === undefined
        ? []
        : [{ name, version: record.report?.version, isLabelled: hasLabel(record, label) }];
    });
  const labelled = known.filter(({ isLabelled }) => isLabelled);
  const byVersion = new Map((labelled.length > 0 ? labelled : known).map((node) => [node.version, node]));
  return [...byVersion.values()].slice(0, maxAsked);
}

/** Undefined: it is not there, or too old to say. */
async function ask(
  { feeds, logger }: CheckDeps,
  name: string,
  document: AgentConfigDocument,
): Promise<AgentConfigCheck | undefined> {
  const { disabled, plugins, revision } = document;
  try {
    return await feeds.checkSettings(name, { disabled, plugins, revision });
  } catch (error) {
    logger.info('settings could not be checked by a node', { node: name, reason: messageOf(error) });
    return undefined;
  }
}

function refuse(found: readonly FieldError[], unknown: readonly string[], { plugins }: Settings): void {
  const errors: FieldError[] = [
    ...unknown.map((plugin) => ({
      pointer: Object.hasOwn(plugins, plugin) ? `/body/plugins/${plugin}` : '/body/disabled',
      detail: `there is no plugin "${plugin}"`,
    })),
    ...found.map(({ detail, pointer }) => ({ pointer: `/body${pointer}`, detail })),
  ];
  const [first] = errors;
  if (first !== undefined)
    throw new AppError('invalid-request', `${first.pointer}: ${first.detail}`, { errors });
}
