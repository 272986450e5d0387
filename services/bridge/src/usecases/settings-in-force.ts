/** Which settings a node runs with. Pure. */
import { createHash } from 'node:crypto';
import type { AgentConfigDocument, SettingsInForce } from '@gantry/contracts';
import type { EdgeNode } from '@gantry/store';
import type { LabelDocuments } from './label-settings.js';

export const noSettings: AgentConfigDocument = { revision: 0, disabled: [], plugins: {} };

type Labelled = Pick<EdgeNode, 'labels' | 'report'>;

/** Those of the enrolment over those that the node says it has. */
export const labelsOf = ({ labels, report }: Labelled): Record<string, string> => ({
  ...report?.labels,
  ...labels,
});

/** As they are written: `site=lab`; in the order in which their settings are laid over each other. */
const wordsOf = (node: Labelled): readonly string[] =>
  Object.entries(labelsOf(node))
    .map(([name, value]) => `${name}=${value}`)
    .sort((a, b) => (a < b ? -1 : 1));

export const hasLabel = (node: Labelled, label: string): boolean => wordsOf(node).includes(label);

/**
 * The settings of the labels of a node, in the order of their texts, a later one over an earlier one, and its own over
 * all: key by key for each plugin. Disabled plugins add up. Undefined when there are none at all.
 */
export function resolveInForce(
  node: Labelled & Pick<EdgeNode, 'settings'>,
  byLabel: LabelDocuments,
): SettingsInForce | undefined {
  const labels = wordsOf(node).filter((word) => byLabel.has(word));
  if (labels.length === 0) return node.settings === undefined ? undefined : { ...node.settings, labels };
  const layers = [...labels.map((label) => byLabel.get(label)), node.settings];
  const nameOf = namesOf(node);
  const plugins: Record<string, Record<string, unknown>> = {};
  const disabled = new Set<string>();
  for (const layer of layers) {
    for (const [name, part] of Object.entries(layer?.plugins ?? {}))
      plugins[nameOf(name)] = { ...plugins[nameOf(name)], ...part };
    for (const name of layer?.disabled ?? []) disabled.add(nameOf(name));
  }
  const content = { disabled: [...disabled].sort((a, b) => (a < b ? -1 : 1)), plugins };
  return { revision: revisionOf(content), ...content, labels };
}

/** Layers may call one plugin by different names; the one name decides which is laid over which. */
function namesOf({ report }: Labelled): (name: string) => string {
  const byAlias = new Map(
    (report?.plugins ?? []).flatMap(({ aliases, name }) => aliases.map((alias) => [alias, name])),
  );
  return (name) => byAlias.get(name) ?? name;
}

/** The same content has the same number on every bridge, far above those that are counted. */
function revisionOf(content: object): number {
  const hex = createHash('sha256')
    .update(JSON.stringify(sorted(content)))
    .digest('hex');
  return 2 ** 32 + Number.parseInt(hex.slice(0, 12), 16);
}

const sorted = (value: unknown): unknown =>
  typeof value !== 'object' || value === null || Array.isArray(value)
    ? value
    : Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, inner]) => [key, sorted(inner)]),
      );

/** Which settings there are, without what they are: `jobs.maxRunning files.roots`, and `-name` for a disabled plugin. */
export const describeSettings = ({
  disabled,
  plugins,
}: Pick<AgentConfigDocument, 'disabled' | 'plugins'>): string =>
  [
    ...Object.entries(plugins).flatMap(([plugin, part]) =>
      Object.keys(part).map((key) => `${plugin}.${key}`),
    ),
    ...disabled.map((plugin) => `-${plugin}`),
  ].join(' ');
