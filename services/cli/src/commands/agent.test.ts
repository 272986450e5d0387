import { readFileSync } from 'node:fs';
import { agentProgram, agentUnit } from '@gantry/edge-agent/program';
import { describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { addAgent, toUnit } from './agent.js';

/** What it sets, without comments. */
const settingsOf = (unit: string): ReadonlyMap<string, string> =>
  new Map(
    unit
      .split('\n')
      .filter((line) => /^\w+=/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );

describe('the help of gantry agent up', () => {
  it('has the flags that an enrolment prints', () => {
    const program = new Command('gantry');
    addAgent(program);
    const up = program.commands[0]?.commands.find((command) => command.name() === 'up');
    for (const flag of ['--name', '--bridge-url', '--bridge-ca-file', '--enrolment-token-file', '--data-dir'])
      expect(up?.helpInformation()).toContain(flag);
  });
});

describe('the systemd unit', () => {
  const shipped = readFileSync(agentUnit, 'utf8');
  const settings = settingsOf(shipped);

  it('starts the agent again, and leaves jobs alone when it stops it', () => {
    expect(settings.get('Restart')).toBe('always');
    expect(settings.get('KillMode')).toBe('process');
    expect(settings.get('OOMPolicy')).toBe('continue');
    expect(settings.get('StartLimitIntervalSec')).toBe('0');
  });

  it.each([
    'PrivateTmp',
    'ProtectHome',
    'PrivateDevices',
    'NoNewPrivileges',
    'SystemCallFilter',
    'MemoryMax',
  ])('closes nothing that jobs need: %s', (name) => {
    expect(settings.has(name)).toBe(false);
  });

  it('is printed with the program and the user of the machine, and otherwise as it is', () => {
    const printed = settingsOf(toUnit(shipped, 'ada'));
    expect(printed.get('ExecStart')).toBe(`${process.execPath} ${agentProgram}`);
    expect(printed.get('User')).toBe('ada');
    const other = (all: ReadonlyMap<string, string>) =>
      [...all].filter(([name]) => name !== 'ExecStart' && name !== 'User');
    expect(other(printed)).toEqual(other(settings));
  });
});
