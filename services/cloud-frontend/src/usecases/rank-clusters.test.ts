import { type ClusterReport, type Geolocation, type Requirement, toRequirement } from '@gantry/contracts';
import type { Cluster } from '@gantry/store';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { distanceKm, rankClusters } from './rank-clusters.js';

const nowMs = 1_000_000;
const silenceMs = 30_000;

const cluster = (id: number, report: Partial<ClusterReport> = {}, ageMs = 0): Cluster => ({
  id,
  name: `c${id}`,
  lastSeenMs: nowMs - ageMs,
  report: { url: 'http://edge', flavours: ['Nature'], is_confidential: false, capacity: 1, ...report },
});
const rank = (wire: Parameters<typeof toRequirement>[0], clusters: readonly Cluster[]) =>
  rankClusters(toRequirement(wire), clusters, nowMs, silenceMs);
const idsOf = (wire: Parameters<typeof toRequirement>[0], clusters: readonly Cluster[]) =>
  rank(wire, clusters).clusters.map(({ id }) => id);

const madrid = '40.4168,-3.7038';
const bilbao = { latitude: 43.263, longitude: -2.935 };
const paris = '48.8566, 2.3522';
const donostia = '43.3183,-1.9812';

describe('which clusters are offered', () => {
  it.each<[string, Parameters<typeof toRequirement>[0], Partial<ClusterReport>, boolean]>([
    ['the flavour is served', {}, {}, true],
    ['the flavour is one of several', { FLAVOUR: 'B' }, { flavours: ['A', 'B'] }, true],
    ['the flavour differs in case', { FLAVOUR: 'nature' }, {}, false],
    ['no runtime is live', {}, { flavours: [] }, false],
    ['confidential is asked for and given', { IS_CONFIDENTIAL: true }, { is_confidential: true }, true],
    ['confidential is asked for and not given', { IS_CONFIDENTIAL: true }, {}, false],
    ['confidential is given and not asked for', {}, { is_confidential: true }, false],
    ['any provider will do', { PROVIDERS: [] }, { provider: 'A' }, true],
    ['the provider is listed', { PROVIDERS: ['B', 'A'] }, { provider: 'A' }, true],
    ['the provider is not listed', { PROVIDERS: ['B'] }, { provider: 'A' }, false],
    ['a provider is asked for and none is known', { PROVIDERS: ['B'] }, {}, false],
  ])('%s', (_when, wire, report, isOffered) => {
    expect(idsOf(wire, [cluster(1, report)])).toEqual(isOffered ? [1] : []);
  });

  it('offers a cluster for 30 s after its last report, and one that never reported not at all', () => {
    const enrolled: Cluster = { id: 9, name: 'new', report: undefined, lastSeenMs: nowMs };
    const { clusters, leftOut } = rank({}, [cluster(1, {}, 30_000), cluster(2, {}, 30_001), enrolled]);
    expect(clusters.map(({ id }) => id)).toEqual([1]);
    expect(leftOut.silent).toBe(2);
  });

  it('counts each cluster at the first filter that it does not pass', () => {
    const { leftOut } = rank({ PROVIDERS: ['A'] }, [
      cluster(1, { flavours: [] }, 60_000),
      cluster(2, { flavours: [], is_confidential: true }),
      cluster(3, { is_confidential: true }),
      cluster(4, { provider: 'B' }),
    ]);
    expect(leftOut).toEqual({ silent: 1, flavour: 1, confidential: 1, provider: 1 });
  });
});

describe('their order', () => {
  const clusters = [
    cluster(1, { geolocation: paris }),
    cluster(2, {}),
    cluster(3, { geolocation: bilbao }),
    cluster(4, { geolocation: madrid }),
    cluster(5, { geolocation: 'IKERLAN ARRASATE/MONDRAGON 20500' }),
  ];

  it.each<[string, Geolocation]>([
    ['a text of two numbers', donostia],
    ['an object', { latitude: 43.3183, longitude: -1.9812 }],
  ])('is nearest first for a place given as %s; clusters without a place come last', (_shape, place) => {
    expect(idsOf({ GEOLOCATION: place }, clusters)).toEqual([3, 4, 1, 2, 5]);
  });

  it.each([undefined, 'IKERLAN ARRASATE/MONDRAGON 20500', '91,0', '1,2,3', ','])(
    'is that of their ids when the requirement has no place: %j',
    (GEOLOCATION) => {
      expect(idsOf({ GEOLOCATION }, [...clusters].reverse())).toEqual([1, 2, 3, 4, 5]);
    },
  );

  it('goes the short way around the antimeridian', () => {
    const fiji = cluster(1, { geolocation: '-17.7,178.0' });
    const sydney = cluster(2, { geolocation: '-33.9,151.2' });
    expect(idsOf({ GEOLOCATION: '-13.8,-171.8' }, [sydney, fiji])).toEqual([1, 2]);
  });
});

describe('distanceKm', () => {
  it('knows a distance that others measured, and the longest there is', () => {
    const km = distanceKm(
      { latitude: 40.4168, longitude: -3.7038 },
      { latitude: 48.8566, longitude: 2.3522 },
    );
    expect(km).toBeGreaterThan(1050);
    expect(km).toBeLessThan(1056);
    expect(distanceKm({ latitude: 90, longitude: 0 }, { latitude: -90, longitude: 77 })).toBeCloseTo(
      Math.PI * 6371,
      5,
    );
  });
});

const arbitraryPlace = fc.record({
  latitude: fc.double({ min: -90, max: 90, noNaN: true }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
});
const arbitraryGeolocation = fc.oneof(arbitraryPlace, fc.constant(undefined), fc.string());
const arbitraryCluster = fc
  .record({
    flavours: fc.subarray(['Nature', 'B', 'C']),
    is_confidential: fc.boolean(),
    provider: fc.constantFrom('A', 'B', undefined),
    geolocation: arbitraryGeolocation,
    ageMs: fc.nat(60_000),
  })
  .map(({ ageMs, ...report }) => ({ report, ageMs }));
const arbitraryRequirement: fc.Arbitrary<Requirement> = fc
  .record({
    FLAVOUR: fc.constantFrom('Nature', 'B', 'D'),
    IS_CONFIDENTIAL: fc.boolean(),
    PROVIDERS: fc.subarray(['A', 'B']),
    GEOLOCATION: arbitraryGeolocation,
  })
  .map(toRequirement);

describe('for any requirement and clusters', () => {
  const arbitraryCase = fc.tuple(arbitraryRequirement, fc.array(arbitraryCluster, { maxLength: 12 }));

  it('every cluster is either offered or counted, and no place is ever a reason', () => {
    fc.assert(
      fc.property(arbitraryCase, ([requirement, given]) => {
        const clusters = given.map(({ report, ageMs }, index) => cluster(index + 1, report, ageMs));
        const placeless = given.map(({ report: { geolocation: _, ...report }, ageMs }, index) =>
          cluster(index + 1, report, ageMs),
        );
        const { clusters: offered, leftOut } = rankClusters(requirement, clusters, nowMs, silenceMs);
        const counted = leftOut.silent + leftOut.flavour + leftOut.confidential + leftOut.provider;
        expect(offered.length + counted).toBe(clusters.length);
        const withoutPlaces = rankClusters(requirement, placeless, nowMs, silenceMs).clusters;
        expect(withoutPlaces.map(({ id }) => id)).toEqual(offered.map(({ id }) => id).sort((a, b) => a - b));
      }),
    );
  });

  it('the order does not depend on the order in the store', () => {
    fc.assert(
      fc.property(arbitraryCase, fc.nat(), ([requirement, given], seed) => {
        const clusters = given.map(({ report, ageMs }, index) => cluster(index + 1, report, ageMs));
        const turned = [...clusters.slice(seed % 12), ...clusters.slice(0, seed % 12)].reverse();
        expect(rankClusters(requirement, turned, nowMs, silenceMs)).toEqual(
          rankClusters(requirement, clusters, nowMs, silenceMs),
        );
      }),
    );
  });
});
