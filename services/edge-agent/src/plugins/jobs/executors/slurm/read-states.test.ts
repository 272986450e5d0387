import { describe, expect, it } from '@jest/globals';
import { parseExit, parseSacct, parseSqueue } from './read-states.js';

describe('what Slurm says of jobs', () => {
  it('is read from squeue', () => {
    const found = parseSqueue(
      [
        '1_1            |FAILED   |768       |NonZeroExitCode  |n0       |',
        '1_2            |RUNNING  |0         |None             |n[0-1]   |',
        '2              |PENDING  |0         |JobHeldUser      |         |',
        '3              |CANCELLED|15        |None             |n1       |',
        '4              |CANCELLED|0         |Dependency       |         |',
        '5              |COMPLETING|0        |None             |n1       |',
        '6              |TIMEOUT  |1         |TimeLimit        |n1       |',
        'garbage',
        '',
      ].join('\n'),
    );
    expect([...found.keys()]).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(found.get('1')).toEqual([
      { index: 1, state: 'FAILED', exitCode: 3, message: 'Slurm: FAILED', hasRun: true },
      { index: 2, state: 'ACTIVE', exitCode: null, message: null, hasRun: true },
    ]);
    expect(found.get('2')).toMatchObject([
      { index: null, state: 'QUEUED', hasRun: false, message: 'Slurm: waits (JobHeldUser)' },
    ]);
    expect(found.get('3')).toMatchObject([{ state: 'CANCELED', exitCode: 143, hasRun: true }]);
    expect(found.get('4')).toMatchObject([{ state: 'CANCELED', exitCode: null, hasRun: false }]);
    expect(found.get('5')).toMatchObject([{ state: 'ACTIVE' }]);
    expect(found.get('6')).toMatchObject([{ state: 'FAILED', message: 'Slurm: TIMEOUT (TimeLimit)' }]);
  });

  it('is read from sacct', () => {
    const found = parseSacct(
      '7|COMPLETED|0:0|None|n0\n8_3|CANCELLED by 1000|0:15|None|n1\n8_[4-6:2%1]|PENDING|0:0|None|None assigned\n' +
        '9|OUT_OF_MEMORY|0:125|OutOfMemory|n0\n10|CANCELLED by 0|0:0|None|None assigned\n',
    );
    expect(found.get('7')).toMatchObject([{ state: 'COMPLETED', exitCode: 0, message: null, hasRun: true }]);
    expect(found.get('8')).toMatchObject([
      { index: 3, state: 'CANCELED', exitCode: 143 },
      { index: 4, state: 'QUEUED', hasRun: false },
      { index: 6, state: 'QUEUED', hasRun: false },
    ]);
    expect(found.get('9')).toMatchObject([{ state: 'FAILED', exitCode: 253 }]);
    expect(found.get('10')).toMatchObject([{ state: 'CANCELED', exitCode: null, hasRun: false }]);
  });

  it.each([
    ['0', 0],
    ['768', 3],
    ['9', 137],
    ['3:0', 3],
    ['0:9', 137],
    ['', null],
    ['(null)', null],
  ])('reads the exit code %s', (text, code) => {
    expect(parseExit(text)).toBe(code);
  });
});
