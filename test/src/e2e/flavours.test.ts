/** Flavours of one embedded platform, declared in a folder of its own; its machine has no Python. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flavourViewSchema } from '@gantry/contracts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkedFetch } from '../support/checked-fetch.js';
import { type Device, newDevice, resultOf } from '../support/device.js';
import { freePorts, gantry, newDataDir, type Platform, startPlatform } from '../support/platform.js';
import { startNode, until } from '../support/processes.js';

const folderOf = (files: Readonly<Record<string, string>>): string => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-flavours-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
};

const small = `name: Small
description: For small things
packages: [{ name: NumPy, module: numpy, language: PY, debian: python3-numpy }]
limits: { executionSeconds: 1, memoryMiB: 64, resultBytes: 1000, logBytes: 100 }
slots: 2
priority: 5
`;

let platform: Platform;
let admin: Device;
let bob: Device;

beforeAll(async () => {
  platform = await startPlatform({
    GANTRY_FLAVOURS: 'Nature,Small',
    GANTRY_FLAVOURS_DIR: folderOf({ 'Small.yaml': small }),
    GANTRY_PYTHON: '/nowhere/python3',
  });
  admin = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
  const account = { name: 'bob', password: 'correct horse battery' };
  const made = await checkedFetch(`${platform.cloudUrl}/v1/accounts`, {
    method: 'POST',
    headers: { token: admin.token },
    body: Buffer.from(JSON.stringify(account)),
  });
  expect(made.status).toBe(201);
  bob = await newDevice(platform, account);
}, 90_000);
afterAll(() => platform.stop());

const call = async (device: Device, source: string, fields: object = {}, ...parameters: unknown[]) =>
  device.execute(await device.upload(source), await device.requirement({ ...fields }), parameters);
const answered = (answer: Awaited<ReturnType<typeof call>>): unknown => {
  expect(answer.json).toMatchObject({ ret_code: 0, err: null });
  return resultOf(answer.json);
};

describe('GET /v1/flavours', () => {
  it('shows the flavours that are served, with what they lack', async () => {
    const answer = await until('the runtime to be announced', async () => {
      const read = await checkedFetch(`${platform.edgeUrl}/v1/flavours`, { headers: { token: bob.token } });
      return read.json[0]?.live.runtimes === 1 ? read : undefined;
    });
    const [nature, declared] = flavourViewSchema.array().parse(answer.json);
    expect(nature).toMatchObject({ name: 'Nature', slots: 1, limits: { memory_mib: 256 }, packages: [] });
    expect(declared).toMatchObject({
      name: 'Small',
      description: 'For small things',
      languages: [
        { language: 'PY', available: false, reason: expect.stringContaining('Debian package python3') },
        { language: 'C', available: false },
        { language: 'JS', available: true, reason: null },
      ],
      packages: [{ name: 'NumPy', module: 'numpy', language: 'PY', debian: 'python3-numpy' }],
      limits: { execution_seconds: 1, memory_mib: 64, result_bytes: 1000, log_bytes: 100 },
      live: { runtimes: 1, slots: 2, running: 0 },
    });
  });

  it('is in the OpenAPI document, and in the command line', async () => {
    const document = await checkedFetch(`${platform.edgeUrl}/openapi.json`);
    expect(Object.keys(document.json.paths)).toContain('/v1/flavours');
    const listed = startNode(gantry, ['flavours', 'ls'], platform.env);
    expect(await listed.ended).toBe(0);
    expect(listed.stdout()).toMatch(/Small +\(PY\),\(C\),JS +NumPy/);
    expect(listed.stdout()).toContain('(PY) of Small: ');
  });
});

describe('a language that the machine lacks', () => {
  it('is a 503 with what to install, whoever calls and however', async () => {
    const upload = await checkedFetch(`${platform.cloudUrl}/v1/daas/upload`, {
      method: 'POST',
      headers: { token: bob.token },
      body: Buffer.from(JSON.stringify({ LANG: 'PY', FC: 'gAVOLg==', FC_HASH: 'x' })),
    });
    const requirementId = await bob.requirement();
    for (const mode of ['sync', 'async']) {
      const answer = await bob.execute(upload.json, requirementId, [], { mode });
      expect(answer).toMatchObject({ status: 503, json: { code: 'language-unavailable' } });
      expect(answer.json.detail).toMatch(/"Nature" does not run PY now: .*Debian package python3/);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
  });
});

describe('limits', () => {
  const FLAVOUR = 'Small';

  it.each([
    [
      'its flavour: time',
      'export default () => { for (;;); };',
      {},
      /^execution-timeout: stopped after 1000 ms/,
    ],
    [
      'its flavour: result',
      'export default () => "x".repeat(2000);',
      {},
      /^result-too-large: .*limit is 1000/,
    ],
    [
      'its flavour: memory',
      'export default () => { const a = []; for (;;) a.push(new Array(1e5).fill(a.length)); };',
      {},
      /^out-of-memory: the heap/,
    ],
    [
      'its requirement: result',
      'export default () => "x".repeat(200);',
      { MAX_RESULT_BYTES: 100 },
      /^result-too-large: .*limit is 100/,
    ],
    [
      'its requirement: memory',
      'export default () => { const a = []; while (a.length < 50) a.push(new Array(1e5).fill(a.length)); };',
      { MAX_MEMORY_MIB: 20 },
      /^out-of-memory: the heap/,
    ],
    [
      'its requirement: time',
      'export default () => { for (;;); };',
      { MAX_FUNCTION_EXECUTION_TIME: 0.3 },
      /^execution-timeout: stopped after 300 ms/,
    ],
  ])('of %s: what is exceeded is named, and the next call works', async (_of, source, fields, expected) => {
    const answer = await call(bob, source, { FLAVOUR, ...fields });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ ret_code: -1, err: expect.stringMatching(expected) });
    expect(answered(await call(bob, 'export default () => 1;', { FLAVOUR, ...fields }))).toBe(1);
  });

  it('of a requirement cannot be above those of its flavour', async () => {
    const fields = { FLAVOUR, MAX_RESULT_BYTES: 1e6, MAX_FUNCTION_EXECUTION_TIME: 60 };
    expect((await call(bob, 'export default () => "x".repeat(2000);', fields)).json.err).toMatch(
      /limit is 1000$/,
    );
    expect((await call(bob, 'export default () => { for (;;); };', fields)).json.err).toMatch(
      /after 1000 ms/,
    );
  });

  it('hold for asynchronous executions too', async () => {
    const fields = { FLAVOUR, MAX_LOG_BYTES: 10 };
    const functionId = await bob.upload('export default () => { console.log("0123456789abc"); return 1; };');
    const accepted = await bob.execute(functionId, await bob.requirement(fields), [], { mode: 'async' });
    const id = accepted.json.execution_id;
    expect(await bob.read(id, 20)).toMatchObject({ json: { status: 'succeeded' } });
    const log = await checkedFetch(`${platform.edgeUrl}/v1/executions/${id}/logs`, {
      headers: { token: bob.token },
    });
    expect(log.text).toBe('0123456789\n[log truncated]\n');
  });

  it('come back as they were written, and only then', async () => {
    const id = await bob.requirement({ FRESH: true, MAX_MEMORY_MIB: 32, MAX_SCRATCH_MIB: 8 });
    const read = async (one: number) =>
      (
        await checkedFetch(`${platform.cloudUrl}/v1/app_requirements/${one}`, {
          headers: { token: bob.token },
        })
      ).json;
    expect(await read(id)).toMatchObject({ FRESH: true, MAX_MEMORY_MIB: 32, MAX_SCRATCH_MIB: 8 });
    expect(Object.keys(await read(await bob.requirement()))).not.toContain('FRESH');
  });
});

describe('state between calls', () => {
  const counter = 'globalThis.seen ??= []; export default (word) => { seen.push(word); return [...seen]; };';

  it('is kept for an owner, and never seen by another one who takes turns with it', async () => {
    const [ofAdmin, ofBob] = [await admin.upload(counter), await bob.upload(counter)];
    const [adminNeeds, bobNeeds] = [await admin.requirement(), await bob.requirement()];
    const seen: unknown[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      seen.push(answered(await admin.execute(ofAdmin, adminNeeds, [`a${turn}`])));
      seen.push(answered(await bob.execute(ofBob, bobNeeds, [`b${turn}`])));
    }
    expect(seen.slice(-2)).toEqual([
      ['a0', 'a1', 'a2'],
      ['b0', 'b1', 'b2'],
    ]);
  });

  it('is not there for a call that asks for a fresh realm, and that leaves none', async () => {
    const functionId = await bob.upload(`${counter}//`);
    const [warm, fresh] = [await bob.requirement(), await bob.requirement({ FRESH: true })];
    const say = async (requirementId: number, word: string) =>
      answered(await bob.execute(functionId, requirementId, [word]));
    expect(await say(warm, 'one')).toEqual(['one']);
    expect([await say(fresh, 'x'), await say(fresh, 'y')]).toEqual([['x'], ['y']]);
    expect(await say(warm, 'two')).toEqual(['one', 'two']);
  });
});

describe('definitions that are wrong', () => {
  it('stop the start with all that is wrong', async () => {
    const folder = folderOf({
      'A.yaml': 'name: B\n',
      'C.yaml': 'name: C\nlimits: { memoryMiB: 1 }\nnetwork: { allow: [example.org] }\n',
    });
    const started = startNode(gantry, ['up'], { ...freePorts(newDataDir()), GANTRY_FLAVOURS_DIR: folder });
    expect(await started.ended).toBe(2);
    for (const problem of [
      'A.yaml: name: must be "A"',
      'C.yaml: limits.memoryMiB: ',
      'C.yaml: network.allow: must be empty',
    ])
      expect(started.output()).toContain(problem);
  });

  it('and levels that hold against nobody are refused in production', async () => {
    const env = { ...freePorts(newDataDir()), NODE_ENV: 'production', GANTRY_RUNTIME_ISOLATION: 'process' };
    const started = startNode(gantry, ['up'], env);
    expect(await started.ended).toBe(1);
    expect(started.output()).toContain('NODE_ENV=production accepts only "sandbox" and "container"');
  });
});
