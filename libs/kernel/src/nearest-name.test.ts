import { expect, it } from '@jest/globals';
import { nearestName } from './nearest-name.js';

const known = ['GANTRY_FLAVOURS', 'GANTRY_FLAVOURS_DIR', 'GANTRY_EDGE_PORT', 'MAX_MEMORY_MIB', 'FRESH', 'ID'];

it.each([
  ['GANTRY_FLAVOUR', 'GANTRY_FLAVOURS'],
  ['GANTRY_FLAVORS', 'GANTRY_FLAVOURS'],
  ['GANTRY_EDGE_PROT', 'GANTRY_EDGE_PORT'],
  ['MAX_MEMORY', 'MAX_MEMORY_MIB'],
  ['FRSH', 'FRESH'],
  ['FRESH', undefined],
  ['GANTRY_FLAVOURS', undefined],
  ['GANTRY', undefined],
  ['GANTRY_SOMETHING_ELSE', undefined],
  ['X'.repeat(100_000), undefined],
  ['', undefined],
])('%s was meant to be %s', (name, expected) => {
  expect(nearestName(name, known)).toBe(expected);
});
