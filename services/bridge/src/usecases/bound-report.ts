/**
 * What a node says of itself, cut to what the bridge keeps. It stands in the store, in memory and in answers to others,
 * and comes from a machine that nobody vouches for.
 *
 * I1. At most 256 Ki characters as JSON: lists and texts are cut, and facts or hints for a page that are too large are
 *     left out.
 * I2. No text has control characters: it ends up in terminals.
 */
import type { AgentInfo, PluginInfo } from '@gantry/contracts';

const maxPlugins = 64;
const maxNames = 64;
const maxLabels = 64;
const maxNameChars = 128;
const maxTextChars = 512;
const maxUiChars = 8 * 1024;
const maxFactsChars = 64 * 1024;
const maxReportChars = 256 * 1024;

export function boundReport(info: AgentInfo): AgentInfo {
  let report = boundParts(info);
  // I1
  while (!fits(report, maxReportChars) && report.plugins.length > 0)
    report = { ...report, plugins: report.plugins.slice(0, Math.floor(report.plugins.length / 2)) };
  return report;
}

const boundParts = (info: AgentInfo): AgentInfo => ({
  node: cut(info.node, maxNameChars),
  version: cut(info.version, maxNameChars),
  started_at: cut(info.started_at, maxNameChars),
  labels: Object.fromEntries(
    Object.entries(info.labels)
      .slice(0, maxLabels)
      .map(([name, value]) => [cut(name, maxNameChars), cut(value, maxTextChars)]),
  ),
  facts: fits(info.facts, maxFactsChars) ? info.facts : {},
  plugins: info.plugins.slice(0, maxPlugins).map(boundPlugin),
  config: {
    revision: info.config.revision,
    refused:
      info.config.refused === null
        ? null
        : { ...info.config.refused, reason: cut(info.config.refused.reason, maxTextChars) },
  },
  events: { ...info.events, epoch: cut(info.events.epoch, maxNameChars) },
});

const boundPlugin = ({
  aliases,
  health,
  permissions,
  reason,
  ui,
  version,
  ...rest
}: PluginInfo): PluginInfo => ({
  ...rest,
  aliases: cutAll(aliases).slice(0, 8),
  version: cut(version, maxNameChars),
  reason: reason === null ? null : cut(reason, maxTextChars),
  health:
    health === null
      ? null
      : {
          status: health.status,
          ...(health.detail === undefined ? {} : { detail: cut(health.detail, maxTextChars) }),
        },
  permissions: cutAll(permissions)
    .slice(0, maxNames)
    .map((name) => name.slice(0, 96)),
  ui: fits(ui, maxUiChars) ? ui : {},
});

const cut = (text: string, maxChars: number) => text.slice(0, maxChars).replace(/\p{Cc}/gu, ' ');
const cutAll = (texts: readonly string[]) => texts.slice(0, maxNames).map((text) => cut(text, maxNameChars));
const fits = (value: unknown, maxChars: number) => JSON.stringify(value).length <= maxChars;
