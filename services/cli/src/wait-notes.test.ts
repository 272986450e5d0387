import { GantryError } from '@gantry/client';
import { describe, expect, it } from '@jest/globals';
import { waitNotes } from './wait-notes.js';

describe('what is said while something is waited for', () => {
  it('is said once for all that wait for the same', () => {
    const said: string[] = [];
    const onWait = waitNotes('the node n1', (text) => said.push(text));
    const away = new GantryError({ code: 'node-unreachable', status: 503, detail: 'it is away' });
    onWait(away, 0);
    onWait(away, 5000);
    expect(said).toEqual(['waiting for the node n1: it is away']);
  });
});
