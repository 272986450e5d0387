import type { LabelSettings, Principal } from '@gantry/contracts';
import { AppError, delay, messageOf } from '@gantry/kernel';
import type { BridgeDeps } from '../deps.js';
import { type CheckDeps, checkLabelSettings } from './check-settings.js';
import { describeSettings, hasLabel } from './settings-in-force.js';

export type LabelSettingsDeps = CheckDeps & Pick<BridgeDeps, 'audit' | 'labelSettingsStore'>;

type NewSettings = Parameters<BridgeDeps['labelSettingsStore']['set']>[1] & {
  readonly revision?: number | undefined;
};

const maxLabels = 1000;
const maxShown = 100;
/** Nodes that are told at once. */
const maxParallel = 16;
/** Longest wait for nodes to take what was set; they go on by themselves. */
const settleMs = 5000;

export async function listLabelSettings(deps: LabelSettingsDeps): Promise<readonly LabelSettings[]> {
  const all = await deps.labelSettings.all();
  return [...all].map(([label, settings]) => ({ label, settings, nodes: namesWith(deps, label, maxShown) }));
}

/** @throws {AppError} invalid-request with the fields, precondition-failed, quota-exceeded */
export async function setLabelSettings(
  deps: LabelSettingsDeps,
  principal: Principal,
  label: string,
  { revision, ...settings }: NewSettings,
): Promise<LabelSettings> {
  await checkLabelSettings(deps, label, settings);
  const document = await deps.labelSettingsStore.set(label, settings, {
    expectedRevision: revision,
    maxLabels,
  });
  deps.audit.record({
    ...{ action: 'label.settings', outcome: 'done', user: principal.user, path: label },
    detail: describeSettings(settings),
  });
  await tellNodes(deps, label);
  return { label, settings: document, nodes: namesWith(deps, label, maxShown) };
}

/** @throws {AppError} settings-not-found */
export async function removeLabelSettings(
  deps: LabelSettingsDeps,
  principal: Principal,
  label: string,
): Promise<void> {
  if (!(await deps.labelSettingsStore.remove(label)))
    throw new AppError('settings-not-found', `There are no settings for "${label}"`);
  deps.audit.record({
    ...{ action: 'label.settings', outcome: 'done', user: principal.user, path: label },
    detail: 'removed',
  });
  await tellNodes(deps, label);
}

const namesWith = ({ records, registry }: LabelSettingsDeps, label: string, limit: number): string[] =>
  registry.holders
    .filter(({ name }) => {
      const record = records.peek(name);
      return record !== undefined && hasLabel(record, label);
    })
    .map(({ name }) => name)
    .sort((a, b) => (a < b ? -1 : 1))
    .slice(0, limit);

async function tellNodes(deps: LabelSettingsDeps, label: string): Promise<void> {
  deps.labelSettings.forget();
  const names = namesWith(deps, label, Number.POSITIVE_INFINITY);
  const tell = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop())
      await deps.feeds.pushSettings(name).catch((error: unknown) => {
        // It gets them when it connects again.
        deps.logger.warn('settings were not sent', { reason: messageOf(error) });
      });
  };
  const told = Promise.all(Array.from({ length: maxParallel }, tell));
  const settled = new AbortController();
  await Promise.race([
    told.finally(() => settled.abort()),
    delay(settleMs, settled.signal).catch(() => undefined),
  ]);
}
