import type { AgentConfigDocument, AgentInfo } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import { hasLabel, resolveInForce } from './settings-in-force.js';

const documentOf = (plugins: AgentConfigDocument['plugins'], ...disabled: string[]): AgentConfigDocument => ({
  revision: 3,
  disabled,
  plugins,
});
const report = {
  labels: { site: 'told', gpu: 'yes' },
  plugins: [{ name: 'files', aliases: ['staging'] }],
} as unknown as AgentInfo;
const node = (settings?: AgentConfigDocument) => ({ labels: { site: 'lab', rack: '7' }, report, settings });
const byLabel = (entries: Record<string, AgentConfigDocument>) => new Map(Object.entries(entries));

describe('the settings of a node', () => {
  it('are none when neither it nor its labels have any', () => {
    expect(
      resolveInForce(node(), byLabel({ 'site=other': documentOf({ files: { a: 1 } }) })),
    ).toBeUndefined();
  });

  it('are its own, with their own revision, when its labels have none', () => {
    const own = documentOf({ files: { a: 1 } });
    expect(resolveInForce(node(own), byLabel({}))).toEqual({ ...own, labels: [] });
  });

  it('are its own over those of its labels, and a later label over an earlier one, key by key', () => {
    const labels = byLabel({
      'rack=7': documentOf({ files: { a: 'rack', b: 'rack', c: 'rack' }, jobs: { x: 1 } }),
      'site=lab': documentOf({ files: { b: 'site', c: 'site' } }),
      'site=told': documentOf({ files: { c: 'never: the enrolment says otherwise' } }),
      'gpu=yes': documentOf({ files: { a: 'gpu', d: 'gpu' } }),
    });
    expect(resolveInForce(node(documentOf({ files: { c: 'own' } })), labels)).toEqual({
      revision: expect.any(Number),
      disabled: [],
      plugins: { files: { a: 'rack', b: 'site', c: 'own', d: 'gpu' }, jobs: { x: 1 } },
      labels: ['gpu=yes', 'rack=7', 'site=lab'],
    });
  });

  it('are laid over each other by plugin, whatever name of it was used', () => {
    const labels = byLabel({ 'site=lab': documentOf({ staging: { a: 'label' } }, 'staging') });
    expect(resolveInForce(node(documentOf({ files: { a: 'own' } })), labels)).toMatchObject({
      plugins: { files: { a: 'own' } },
      disabled: ['files'],
    });
  });

  it('disable what any of them disables', () => {
    const labels = byLabel({
      'rack=7': documentOf({}, 'jobs'),
      'site=lab': documentOf({}, 'sysinfo', 'jobs'),
    });
    expect(resolveInForce(node(documentOf({}, 'files')), labels)?.disabled).toEqual([
      'files',
      'jobs',
      'sysinfo',
    ]);
  });

  it('have the same revision for the same content, and another for another', () => {
    const revisionOf = (plugins: AgentConfigDocument['plugins']) =>
      resolveInForce(node(), byLabel({ 'site=lab': documentOf(plugins) }))?.revision;
    const first = revisionOf({ files: { a: 1, b: { c: 2, d: 3 } }, jobs: { e: 4 } });
    expect(revisionOf({ jobs: { e: 4 }, files: { b: { d: 3, c: 2 }, a: 1 } })).toBe(first);
    expect(revisionOf({ files: { a: 1, b: { c: 2, d: 4 } }, jobs: { e: 4 } })).not.toBe(first);
    expect(Number.isSafeInteger(first)).toBe(true);
    // Far above what is counted for nodes without labels.
    expect(first).toBeGreaterThan(2 ** 32);
  });
});

it('a label is name and value', () => {
  expect(hasLabel(node(), 'site=lab')).toBe(true);
  expect(hasLabel(node(), 'site=told')).toBe(false);
  expect(hasLabel(node(), 'gpu=yes')).toBe(true);
  expect(hasLabel(node(), 'gpu')).toBe(false);
});
