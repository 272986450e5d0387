/** The page docs/plugins.md says what the plugins are: every route, right, setting and field, and examples that work. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  jobArraySchema,
  jobDependencySchema,
  jobResourcesSchema,
  jobSpecSchema,
  jobSubmitSchema,
} from '@gantry/contracts';
import { systemClock } from '@gantry/kernel';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { checkDocument, emptyDocument, parseDocument, resolveSettings } from './core/plugin-settings.js';
import type { AgentPlugin, PluginRoute, RunningPlugin } from './core/ports.js';
import { buildSessionRoutes } from './core/session-routes.js';
import { Sessions } from './core/sessions.js';
import { loadLocalSettings } from './local-settings.js';
import { findUnsupportedLocally } from './plugins/jobs/executors/local/unsupported.js';
import { findUnsupportedBySlurm } from './plugins/jobs/executors/slurm/sbatch-options.js';
import { agentPlugins } from './plugins.js';
import { type RunningAgent, startAgent } from './test-support/start-agent.js';

const page = readFileSync(new URL('../../../docs/plugins.md', import.meta.url), 'utf8');

/** Asked for inside of handlers, beside the right of the route. */
const rightsOfHandlers = ['jobs:admin', 'queue-info:admin'];

/** The cells of every row of the tables, without their quotes; `\|` is not used in the page. */
const rowsOf = (text: string): readonly (readonly string[])[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1')),
    );

/** What stands under a heading, up to the next of the same or a higher level. */
function sectionOf(heading: string): string {
  const lines = page.split('\n');
  const at = lines.indexOf(heading);
  if (at === -1) throw new Error(`The page has no "${heading}"`);
  const level = heading.indexOf(' ');
  const ends = lines.findIndex(
    (line, index) => index > at && /^#+ /.test(line) && line.indexOf(' ') <= level,
  );
  return lines.slice(at + 1, ends === -1 ? undefined : ends).join('\n');
}

/** The rows of the first table of a section whose head begins so, by their first cell. */
function tableOf(text: string, head: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  if (at === -1) throw new Error(`There is no table of ${head}`);
  const length = lines.slice(at).findIndex((line) => !line.startsWith('|'));
  const rows = rowsOf(lines.slice(at + 2, length === -1 ? undefined : at + length).join('\n'));
  return new Map(rows.map(([first = '', ...rest]) => [first, rest]));
}

const blocksOf = (text: string, language: string): readonly string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(([, body = '']) => body);

/** The words of a command as a shell would hand them over. */
const wordsOf = (command: string): readonly string[] =>
  execFileSync('/bin/sh', ['-c', `set -- ${command}\nprintf '%s\\0' "$@"`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);

/** What `gantry nodes settings set NODE …` sends to the bridge, and the bridge to the node. */
function documentOf(command: string) {
  const words = wordsOf(command);
  const start = ['npx', 'gantry', 'nodes', 'settings', 'set', 'NODE'];
  expect(words.slice(0, start.length)).toEqual(start);
  const rest = words.slice(start.length);
  const off = rest.indexOf('--disable');
  const plugins: Record<string, Record<string, unknown>> = {};
  for (const word of off === -1 ? rest : rest.slice(0, off)) {
    const [, plugin = '', key = '', text = ''] = /^([a-z][a-z0-9_-]*)\.([^.=]+)=(.*)$/s.exec(word) ?? [];
    expect([word, plugin]).not.toEqual([word, '']);
    plugins[plugin] = { ...plugins[plugin], [key]: parsedOr(text) };
  }
  return parseDocument({ revision: 1, disabled: off === -1 ? [] : rest.slice(off + 1), plugins });
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

interface SettingFacts {
  readonly type?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
}

const settingsOf = (schema: z.ZodType): Readonly<Record<string, SettingFacts>> =>
  (z.toJSONSchema(schema, { io: 'input' }) as { properties: Record<string, SettingFacts> }).properties;

/** As the page has it; undefined where it needs words. */
function typeOf({ type, minimum, exclusiveMinimum, maximum }: SettingFacts): string | undefined {
  if (type === 'boolean') return 'true or false';
  if (type !== 'integer') return undefined;
  const from = minimum ?? (exclusiveMinimum ?? 0) + 1;
  return maximum === undefined || maximum === Number.MAX_SAFE_INTEGER
    ? `${from} or more`
    : `${from} to ${maximum}`;
}

const sorted = (words: Iterable<string>): readonly string[] => [...words].sort((a, b) => a.localeCompare(b));

const toCell = (value: unknown): string =>
  typeof value === 'string' && value !== '' ? value : JSON.stringify(value);

describe('the page of the plugins', () => {
  let agent: RunningAgent;
  let folder: string;
  const routes = new Map<string, readonly PluginRoute[]>();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-plugins-page-'));
    agent = await startAgent(
      agentPlugins.map((plugin) => observed(plugin, (seen) => routes.set(plugin.name, seen))),
    );
  });
  afterAll(async () => {
    await agent?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('has every route with its right, and no other', () => {
    const [plugin] = agentPlugins;
    if (plugin === undefined) throw new Error('There are no plugins');
    const running: RunningPlugin = {
      routes: [],
      health: () => ({ status: 'healthy' }),
      stop: async () => undefined,
    };
    const common = buildSessionRoutes(plugin, running, new Sessions(systemClock), systemClock);
    const all = new Map([...routes, ['PLUGIN', common]]);
    expect(sorted(routes.keys())).toEqual(sorted(agentPlugins.map(({ name }) => name)));
    const real = [...all].flatMap(([name, ones]) =>
      ones.map(({ method, path, permission }) => `${method} /${name}${path} ${permission}`),
    );
    const written = rowsOf(page)
      .filter(([first = '']) => /^(GET|POST|PUT|PATCH|DELETE) \//.test(first))
      .map(([route, right]) => `${route} ${right}`);
    expect(sorted(written)).toEqual(sorted(real));
  });

  it.each(agentPlugins.map(({ name }) => name))('has every right to %s', (name) => {
    const asked = (routes.get(name) ?? []).map(({ permission }) => permission);
    const inside = rightsOfHandlers.filter((right) => right.startsWith(`${name}:`));
    const written = [...tableOf(sectionOf(`## ${name}`), 'right').keys()];
    expect(sorted(written)).toEqual(sorted(new Set([...asked, ...inside])));
  });

  it('names only rights that there are for commands', () => {
    const all = [...routes.values()].flat().map(({ permission }) => permission);
    const named = [...tableOf(sectionOf('## Rights'), 'command').values()].flatMap(([cell = '']) =>
      [...cell.matchAll(/[a-z-]+:[a-z]+/g)].map(([right]) => right),
    );
    expect(named.length).toBeGreaterThan(0);
    for (const right of named) expect([...all, ...rightsOfHandlers]).toContain(right);
  });

  it.each(agentPlugins)('has every setting of $name with its type and default', ({ name, configSchema }) => {
    const settings = settingsOf(configSchema);
    const written = tableOf(sectionOf(`## ${name}`), 'setting');
    expect(sorted(written.keys())).toEqual(sorted(Object.keys(settings)));
    for (const [key, facts] of Object.entries(settings)) {
      const [type, value] = written.get(key) ?? [];
      expect([key, value]).toEqual([key, toCell(facts.default)]);
      expect([key, type]).toEqual([key, typeOf(facts) ?? type]);
    }
  });

  it('has every key of a root', () => {
    const { items } = settingsOf(configSchemaOf('files'))['roots'] as unknown as {
      items: { properties: Record<string, SettingFacts>; required: string[] };
    };
    const written = tableOf(sectionOf('## files'), 'key of a root');
    expect(sorted(written.keys())).toEqual(sorted(Object.keys(items.properties)));
    for (const [key, facts] of Object.entries(items.properties)) {
      const value = items.required.includes(key) ? 'required' : toCell(facts.default);
      expect([key, written.get(key)?.[1]]).toEqual([key, value]);
    }
  });

  it.each(['Settings', ...agentPlugins.map(({ name }) => name)])(
    'has examples under %s that an agent takes, and that mean the same in both places',
    (heading) => {
      const section = sectionOf(`## ${heading}`);
      const [yaml = ''] = blocksOf(section, 'yaml');
      const [command = ''] = blocksOf(section, 'bash');
      const file = join(folder, 'plugins.yaml');
      writeFileSync(file, yaml);
      const local = loadLocalSettings(file);
      expect(Object.keys(local).length).toBeGreaterThan(0);
      expect(agentPlugins.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(local)));
      const document = documentOf(command);
      expect(checkDocument(agentPlugins, {}, document)).toEqual({ errors: [], unknown_plugins: [] });
      const byFile = resolveSettings(agentPlugins, local, emptyDocument);
      if (heading === 'Settings') return;
      const byBridge = resolveSettings(agentPlugins, {}, document);
      expect(byFile.get(heading)).toEqual(byBridge.get(heading));
      expect(byFile.get(heading)?.config).not.toEqual(configSchemaOf(heading).parse({}));
    },
  );

  it('is right about what the file of a machine may say beside', () => {
    const [yaml = ''] = blocksOf(sectionOf('## Settings'), 'yaml');
    writeFileSync(join(folder, 'plugins.yaml'), yaml);
    const local = loadLocalSettings(join(folder, 'plugins.yaml'));
    expect(resolveSettings(agentPlugins, local, emptyDocument).get('jobs')?.isDisabled).toBe(true);
    const changing = parseDocument({ revision: 1, plugins: { files: { ownFolder: false } } });
    expect(checkDocument(agentPlugins, local, changing).errors).toMatchObject([
      { pointer: '/plugins/files' },
    ]);
    const off = parseDocument({ revision: 1, disabled: ['files'] });
    expect(resolveSettings(agentPlugins, local, off).get('files')?.isDisabled).toBe(true);
  });

  const machine = { cores: 2 };
  /** For each field something that not everybody has; what is missing here fails the tests below. */
  const samples: Readonly<Record<string, unknown>> = {
    ...{ executable: 'a', arguments: ['b'], name: 'n', directory: '/d', environment: { A: 'b' } },
    ...{ stdin_path: 'i', stdout_path: 'o', stderr_path: 'e', resources: {}, launcher: 'srun', duration: 1 },
    ...{ queue: 'q', account: 'a', reservation: 'r', constraints: 'c', hold: true },
    ...{ custom_attributes: { 'slurm.qos': 'high' }, array: { indices: '0-1' } },
    dependencies: [{ job_id: 'x', condition: 'after' }],
  };
  const resourceSamples: Readonly<Record<string, unknown>> = {
    ...{ nodes: 2, processes: 2, processes_per_node: 2, cores_per_process: 3, gpus_per_process: 1 },
    ...{ memory: '2G', exclusive: true },
  };
  const takenBy = (fields: Readonly<Record<string, unknown>>) => {
    const spec = jobSpecSchema.parse({ executable: 'a', ...fields });
    return [findUnsupportedLocally(spec, machine).length === 0, findUnsupportedBySlurm(spec).length === 0];
  };

  it('has every field of a job spec, its default, and which executor takes it', () => {
    const written = tableOf(sectionOf('### The job spec'), 'field');
    expect(sorted(written.keys())).toEqual(sorted(Object.keys(jobSpecSchema.shape)));
    const defaults = jobSpecSchema.parse({ executable: 'a' }) as Readonly<Record<string, unknown>>;
    for (const [field, [, value, local, slurm]] of written) {
      const known = defaults[field] === undefined ? '' : toCell(defaults[field]);
      expect([field, value]).toEqual([field, field === 'executable' ? 'required' : known]);
      expect(samples).toHaveProperty(field);
      expect([field, local === 'yes', slurm === 'yes']).toEqual([
        field,
        ...takenBy({ [field]: samples[field] }),
      ]);
    }
  });

  it('has every field of resources, arrays and dependencies', () => {
    const written = tableOf(sectionOf('#### Resources'), 'field');
    expect(sorted(written.keys())).toEqual(sorted(Object.keys(jobResourcesSchema.shape)));
    for (const [field, [, local, slurm]] of written) {
      expect(resourceSamples).toHaveProperty(field);
      const taken = takenBy({ resources: { [field]: resourceSamples[field] } });
      expect([field, local === 'yes', slurm === 'yes']).toEqual([field, ...taken]);
    }
    const others = [...tableOf(sectionOf('#### Arrays and dependencies'), 'field').keys()];
    expect(sorted(others)).toEqual(
      sorted([
        ...Object.keys(jobArraySchema.shape).map((key) => `array.${key}`),
        ...Object.keys(jobDependencySchema.shape).map((key) => `dependencies[].${key}`),
      ]),
    );
  });

  it('has an example of a job that local takes, and options that sbatch gets', () => {
    const section = sectionOf('### The job spec');
    const [json = ''] = blocksOf(section, 'json');
    const { spec } = jobSubmitSchema.parse({ spec: JSON.parse(json) as unknown });
    expect(findUnsupportedLocally(spec, { cores: 4 })).toEqual([]);
    const options = tableOf(sectionOf('#### Options of Slurm'), 'value');
    const tried: readonly (readonly [string, string | boolean])[] = [
      ['any', 'x'],
      ['`true` or `false`', true],
      ['either', true],
      ['either', 'x'],
    ];
    for (const [kind, value] of tried) {
      const names = (options.get(kind)?.[0] ?? '').split(' ').map((name) => name.replaceAll('`', ''));
      expect(names.length).toBeGreaterThan(1);
      for (const name of names) {
        const attributes = { [`slurm.${name}`]: value };
        expect([name, takenBy({ custom_attributes: attributes })[1]]).toEqual([name, true]);
      }
    }
  });
});

const configSchemaOf = (name: string): z.ZodType => {
  const plugin = agentPlugins.find((one) => one.name === name);
  if (plugin === undefined) throw new Error(`There is no plugin ${name}`);
  return plugin.configSchema;
};

/** The plugin itself, telling its routes; it runs also where the machine lacks what it is for. */
function observed(plugin: AgentPlugin, see: (routes: readonly PluginRoute[]) => void): AgentPlugin {
  return {
    name: plugin.name,
    aliases: plugin.aliases,
    version: plugin.version,
    configSchema: plugin.configSchema,
    isSupported: async () => true,
    start: async (context) => {
      const running = await plugin.start(context);
      see(running.routes);
      return running;
    },
  };
}
