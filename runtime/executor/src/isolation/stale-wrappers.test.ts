import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { stagingPrefix } from '../sandbox/staging.js';
import { endStaleWrappers, stagingOf } from './stale-wrappers.js';
import { namesHere, namesOf } from './supervisor-name.js';

const here = namesHere(stagingPrefix);
/** Beyond the largest process id of Linux, so surely dead. */
const deadPid = 2 ** 22 + 1;

/** A process that looks like bubblewrap's second half, of this supervisor; it waits for the end of its input. */
const startWrapper = (staging: string) =>
  spawn('/bin/sh', ['-c', 'read x', '--ro-bind', `/tmp/${staging}`, '/gantry', '-'], {
    argv0: '/usr/bin/bwrap',
    stdio: ['pipe', 'ignore', 'ignore'],
  });

describe('wrappers of supervisors that were killed', () => {
  it('are known by the folder their programs were staged in', () => {
    const words = ['/usr/bin/bwrap', '--ro-bind', '/tmp/gantry-executor-1-77-5-abc', '/gantry', '--proc'];
    expect(stagingOf(`${words.join('\0')}\0`)).toBe('gantry-executor-1-77-5-abc');
    expect(stagingOf(`${['/usr/bin/vi', ...words.slice(1)].join('\0')}\0`)).toBeUndefined();
    expect(stagingOf('/usr/bin/bwrap\0--ro-bind\0/usr\0/usr\0')).toBeUndefined();
  });

  it('are ended at the next start; those of the living, here or in another process namespace, are not', async () => {
    const stale = startWrapper(`${here}${deadPid}-7-abc`);
    const live = startWrapper(`${namesOf(stagingPrefix, process.pid)}abc`);
    const elsewhere = startWrapper(`${here.replace(/\d+/, '1')}${deadPid}-7-abc`);
    const all = [stale, live, elsewhere];
    await Promise.all(all.map((wrapper) => once(wrapper, 'spawn')));
    const ended = once(stale, 'exit');
    endStaleWrappers();
    expect((await ended)[1]).toBe('SIGKILL');
    for (const wrapper of [live, elsewhere]) {
      expect(wrapper.exitCode ?? wrapper.signalCode).toBeNull();
      wrapper.stdin.end();
      await once(wrapper, 'exit');
    }
  });
});
