import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  accountNameSchema,
  cloudApi,
  clusterNameSchema,
  clusterReportSchema,
  controlMessageSchema,
  documentIdSchema,
  edgeApi,
  emptyResultOf,
  execResultSchema,
  executionErrorCodes,
  executionErrors,
  executionStatuses,
  flavourNameSchema,
  fromRequirement,
  functionUploadSchema,
  isBase64,
  isTerminal,
  mayAccess,
  newAccountSchema,
  pageQuerySchema,
  placeOf,
  problems,
  problemType,
  type RouteContract,
  requestHeadersSchema,
  requirementSchema,
  storedRequirementSchema,
  terminalStatuses,
  toRequirement,
} from './index.js';

const parseRequirement = (wire: unknown) => toRequirement(requirementSchema.parse(wire));

describe('requirements', () => {
  it('takes the defaults of the original for an empty one, and does not take the run time for sent', () => {
    const requirement = parseRequirement({});
    expect(requirement).toEqual({
      flavour: 'Nature',
      maxLatencyMs: 10,
      maxRunMs: undefined,
      minRenewablePercent: 80,
      geolocation: undefined,
      deviceId: undefined,
      isConfidential: false,
      providers: [],
    });
    expect(fromRequirement(requirement)).toMatchObject({
      FLAVOUR: 'Nature',
      MAX_LATENCY: 10,
      MAX_FUNCTION_EXECUTION_TIME: 1,
      MIN_ENERGY_RENEWABLE_USAGE: 80,
      GEOLOCATION: null,
    });
  });

  it.each([
    ['an object', { latitude: 43.05, longitude: -2.53 }, { latitude: 43.05, longitude: -2.53 }],
    [
      'an object of strings',
      { latitude: '43.05', longitude: '-2.53' },
      { latitude: 43.05, longitude: -2.53 },
    ],
    ['"lat,lon"', '43.05,-2.53', { latitude: 43.05, longitude: -2.53 }],
    ['"lat, lon" with spaces', ' 43.05 , -2.53 ', { latitude: 43.05, longitude: -2.53 }],
    ['free text', 'IKERLAN ARRASATE/MONDRAGON 20500', undefined],
    ['free text with a comma', 'Arrasate, Spain', undefined],
    ['a place off the Earth in text', '91,0', undefined],
    ['three numbers', '1,2,3', undefined],
    ['a comma alone', ',', undefined],
    ['an empty text', '', undefined],
    ['null', null, undefined],
  ])('understands GEOLOCATION as %s', (_name, geolocation, place) => {
    expect(placeOf(parseRequirement({ GEOLOCATION: geolocation }).geolocation)).toEqual(place);
  });

  it('refuses a place object that is off the Earth', () => {
    expect(requirementSchema.safeParse({ GEOLOCATION: { latitude: 91, longitude: 0 } }).success).toBe(false);
  });

  it('understands both spellings of the renewable key, the Python one first', () => {
    expect(parseRequirement({ MIN_RENEWABLE_USAGE: 30 }).minRenewablePercent).toBe(30);
    expect(parseRequirement({ MIN_ENERGY_RENEWABLE_USAGE: 40 }).minRenewablePercent).toBe(40);
    const both = { MIN_ENERGY_RENEWABLE_USAGE: 40, MIN_RENEWABLE_USAGE: 30 };
    expect(parseRequirement(both).minRenewablePercent).toBe(40);
  });

  it('ignores unknown keys, takes null for absent and numbers written as text', () => {
    const wire = {
      FLAVOUR: null,
      MAX_LATENCY: '45',
      MAX_FUNCTION_EXECUTION_TIME: '2.5',
      PRIORITY: 7,
      SCHEDULING_POLICY: 'energy',
      PROVIDERS: null,
    };
    expect(requirementSchema.parse(wire)).not.toHaveProperty('PRIORITY');
    expect(parseRequirement(wire)).toMatchObject({ flavour: 'Nature', maxLatencyMs: 45, maxRunMs: 2500 });
  });

  it.each(['', '../../x', 'no such flavour', 'with.dot', '-x', 'x'.repeat(65)])(
    'refuses a FLAVOUR that no runtime can serve, and names the rule: %j',
    (FLAVOUR) => {
      const { error } = requirementSchema.safeParse({ FLAVOUR });
      expect(error?.issues).toMatchObject([
        { path: ['FLAVOUR'], message: expect.stringMatching(/^must be 1 to 64 letters, digits/) },
      ]);
      // Stored by an earlier release, it is still read.
      expect(toRequirement(storedRequirementSchema.parse({ FLAVOUR })).flavour).toBe(FLAVOUR);
    },
  );

  it.each(['Nature', 'SmartCity_ice_V2', 'x'.repeat(64)])('takes any other: %s', (FLAVOUR) => {
    expect(parseRequirement({ FLAVOUR }).flavour).toBe(FLAVOUR);
  });

  it('takes `fresh` in both spellings, and the usual one first', () => {
    expect(parseRequirement({ fresh: true }).isFresh).toBe(true);
    expect(parseRequirement({ FRESH: false, fresh: true }).isFresh).toBeUndefined();
    expect(requirementSchema.safeParse({ fresh: 'yes' }).success).toBe(false);
    expect(fromRequirement(parseRequirement({ fresh: true }))).toMatchObject({ FRESH: true });
  });

  it('takes limits and a fresh realm, says them only when they were asked, and drops unknown keys', () => {
    const wire = { FRESH: true, MAX_MEMORY_MIB: '64', MAX_LOG_BYTES: 10, MAX_RESULT_BYTES: null, COLOUR: 1 };
    const requirement = parseRequirement(wire);
    expect(requirement).toMatchObject({ isFresh: true, limits: { memoryMiB: 64, logBytes: 10 } });
    expect(fromRequirement(requirement)).toMatchObject({
      FRESH: true,
      MAX_MEMORY_MIB: 64,
      MAX_LOG_BYTES: 10,
    });
    const plain = parseRequirement({ FRESH: false });
    expect([plain.isFresh, plain.limits]).toEqual([undefined, undefined]);
    expect(Object.keys(fromRequirement(plain)).filter((key) => /^(FRESH|MAX_[A-Z]+_)/.test(key))).toEqual([
      'MAX_FUNCTION_EXECUTION_TIME',
    ]);
  });

  it.each([
    { MAX_MEMORY_MIB: 15 },
    { MAX_SCRATCH_MIB: 0 },
    { MAX_RESULT_BYTES: 1.5 },
    { MAX_LOG_BYTES: -1 },
    { MAX_LOG_BYTES: 2 ** 53 },
    { FRESH: 'yes' },
  ])('refuses %j', (wire) => {
    expect(requirementSchema.safeParse(wire).success).toBe(false);
  });

  it('survives the way to the wire and back', () => {
    const limit = fc.integer({ min: 64 });
    const limits = fc.record(
      { memoryMiB: limit, scratchMiB: limit, resultBytes: limit, logBytes: limit },
      { requiredKeys: ['memoryMiB'] },
    );
    const arbitrary = fc.record({
      flavour: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/),
      maxLatencyMs: fc.nat(),
      maxRunMs: fc.integer({ min: 1, max: 10_000_000 }),
      minRenewablePercent: fc.integer({ min: 0, max: 100 }),
      geolocation: fc.option(fc.string({ maxLength: 100 }), { nil: undefined }),
      deviceId: fc.option(fc.string({ maxLength: 100 }), { nil: undefined }),
      isConfidential: fc.boolean(),
      providers: fc.array(fc.string({ maxLength: 20 }), { maxLength: 8 }),
      ...{ isFresh: fc.constantFrom(true, undefined), limits: fc.option(limits, { nil: undefined }) },
    });
    fc.assert(
      fc.property(arbitrary, (requirement) => {
        expect(parseRequirement(JSON.parse(JSON.stringify(fromRequirement(requirement))))).toEqual(
          requirement,
        );
      }),
    );
  });
});

describe('ids', () => {
  it.each(['1', '42', String(Number.MAX_SAFE_INTEGER)])('takes document id %s', (id) => {
    expect(documentIdSchema.parse(id)).toBe(Number(id));
  });

  it.each(['0', '-1', '1.5', '9007199254740992', '', 'abc', '1e3', '0x10', ' 1', 'true', 'Infinity'])(
    'refuses document id "%s"',
    (id) => {
      expect(documentIdSchema.safeParse(id).success).toBe(false);
    },
  );
});

describe('base64', () => {
  it('takes whatever Buffer writes and refuses other alphabets, line breaks and missing padding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(isBase64(Buffer.from(bytes).toString('base64'))).toBe(true);
      }),
    );
    for (const text of [
      'a',
      'ab',
      'abc',
      'ab-_',
      'ab==\n',
      '====',
      'a===',
      'ab=c',
      'ab c',
      '\u00e9abc',
      'abcd\n',
    ])
      expect([text, isBase64(text)]).toEqual([text, false]);
    expect(isBase64('')).toBe(true);
  });

  it('checks 28 MB without overflowing the stack of the pattern', () => {
    const text = 'A'.repeat(28 * 1024 * 1024);
    expect(isBase64(text)).toBe(true);
    expect(isBase64(`${text.slice(0, -1)}!`)).toBe(false);
  });

  it('an upload needs a hash and non-empty base64', () => {
    const upload = { LANG: 'JS', FC: 'eA==', FC_HASH: 'x' };
    expect(functionUploadSchema.safeParse(upload).success).toBe(true);
    expect(functionUploadSchema.safeParse({ ...upload, FC: '' }).success).toBe(false);
    expect(functionUploadSchema.safeParse({ ...upload, FC: 'not base64!' }).success).toBe(false);
    expect(functionUploadSchema.safeParse({ LANG: 'JS', FC: 'eA==' }).success).toBe(false);
  });
});

describe('results', () => {
  it('always have all three keys, and an empty result each client can decode', () => {
    expect(execResultSchema.safeParse({ ret_code: 0, res: '' }).success).toBe(false);
    expect(execResultSchema.safeParse({ ret_code: 0, res: null, err: null }).success).toBe(false);
    expect(JSON.parse(Buffer.from(emptyResultOf.JS, 'base64').toString())).toBeNull();
    // Pickle: PROTO 5, NONE, STOP.
    expect([...Buffer.from(emptyResultOf.PY, 'base64')]).toEqual([0x80, 5, 0x4e, 0x2e]);
    expect(Buffer.from(emptyResultOf.C, 'base64')).toHaveLength(0);
  });

  it('every status is either terminal or not', () => {
    expect(executionStatuses.filter(isTerminal)).toEqual([...terminalStatuses]);
  });

  it('every code at the start of err is explained', () => {
    expect(Object.keys(executionErrors)).toEqual([...executionErrorCodes]);
  });
});

describe('names', () => {
  it('an account name fits a token and HTTP Basic', () => {
    expect(accountNameSchema.safeParse('ada.lovelace@example.org').success).toBe(true);
    for (const name of ['', 'a:b', 'ünal', '-a', 'a'.repeat(65)])
      expect([name, accountNameSchema.safeParse(name).success]).toEqual([name, false]);
  });

  it('a cluster name fits the 50 bytes of the C client', () => {
    expect(clusterNameSchema.safeParse('c'.repeat(49)).success).toBe(true);
    expect(clusterNameSchema.safeParse('c'.repeat(50)).success).toBe(false);
  });

  it('a cluster URL has no slash at its end: clients join it with a path', () => {
    const report = { flavours: [], capacity: 1 };
    expect(clusterReportSchema.safeParse({ ...report, url: 'http://edge:1339/prefix' }).success).toBe(true);
    for (const url of ['http://edge:1339/', 'ftp://edge', 'edge:1339', `http://${'e'.repeat(1020)}`])
      expect([url, clusterReportSchema.safeParse({ ...report, url }).success]).toEqual([url, false]);
  });

  it('a flavour is one word of a routing key', () => {
    expect(flavourNameSchema.safeParse('Nature-v2_gpu').success).toBe(true);
    expect(flavourNameSchema.safeParse('Nature.v2').success).toBe(false);
    expect(flavourNameSchema.safeParse('#').success).toBe(false);
  });

  it('a password has 12 characters or more', () => {
    const account = { name: 'ada', password: 'x'.repeat(12) };
    expect(newAccountSchema.parse(account)).toMatchObject({ role: 'user' });
    expect(newAccountSchema.safeParse({ ...account, password: 'x'.repeat(11) }).success).toBe(false);
    expect(newAccountSchema.safeParse({ ...account, admin: true }).success).toBe(false);
  });

  it('only the owner and administrators may see a document', () => {
    const user = { user: 'ada', org: undefined, role: 'user' } as const;
    expect(mayAccess(user, 'ada')).toBe(true);
    expect(mayAccess(user, 'bob')).toBe(false);
    expect(mayAccess({ ...user, role: 'administrator' }, 'bob')).toBe(true);
  });
});

describe('messages', () => {
  const headers = {
    v: 1,
    mode: 'sync',
    flavour: 'Nature',
    owner: 'ada',
    functionId: 1,
    requirementId: 2,
    functionSha256: 'a'.repeat(64),
    language: 'JS',
    expiresAtMs: 1,
    queueMs: 1,
    runMs: 1,
  };

  it('a version it does not know is refused, an unknown key is not', () => {
    expect(requestHeadersSchema.safeParse({ ...headers, later: 'x' }).success).toBe(true);
    expect(requestHeadersSchema.safeParse({ ...headers, v: 2 }).success).toBe(false);
    expect(controlMessageSchema.safeParse({ v: 1, kind: 'cancel', executionId: 'x' }).success).toBe(true);
    expect(controlMessageSchema.safeParse({ v: 1, kind: 'explode' }).success).toBe(false);
  });
});

describe('routes', () => {
  const contracts: [string, RouteContract][] = Object.entries({ ...cloudApi, ...edgeApi });

  it('no two routes share method and path', () => {
    const keys = contracts.map(([, { method, path }]) => `${method} ${path.replaceAll(/\{\w+\}/g, '{}')}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it.each(contracts)('%s declares exactly the parameters of its path', (_name, { path, params }) => {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    expect(Object.keys(params?.shape ?? {})).toEqual(inPath);
  });

  it('a page has 50 items unless asked, 200 at most', () => {
    expect(pageQuerySchema.parse({})).toEqual({ limit: 50 });
    expect(pageQuerySchema.safeParse({ limit: '201' }).success).toBe(false);
    expect(pageQuerySchema.safeParse({ limit: '0' }).success).toBe(false);
  });
});

describe('problems', () => {
  it('docs/problems.md is what scripts/problems-doc.mjs makes of the table', async () => {
    const root = new URL('../../../', import.meta.url);
    const { problemsDocument } = (await import(new URL('scripts/problems-doc.mjs', root).href)) as {
      problemsDocument: (tables: unknown) => string;
    };
    const written = readFileSync(new URL('docs/problems.md', root), 'utf8');
    expect(written).toBe(problemsDocument({ problems, executionErrors }));
    for (const code of Object.keys(problems)) expect(written).toContain(`\n### ${code}\n`);
  });

  it('every one has a status of its kind, a title and a remedy that are sentences', () => {
    for (const [code, { status, title, remedy, retryable }] of Object.entries(problems)) {
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(600);
      expect(title).not.toMatch(/\.$/);
      expect(remedy).toMatch(/^[A-Z].*\.$/);
      expect([code, retryable]).toEqual([code, [429, 503, 504].includes(status)]);
    }
    expect(problemType('queue-full')).toBe('/problems/queue-full');
  });
});
