import { describe, expect, it } from '@jest/globals';
import { demandPlugins } from './nodes.js';

describe('rights that are shared', () => {
  const plugins = [
    { name: 'jobs', aliases: ['psij'] },
    { name: 'files', aliases: ['staging'] },
  ];

  it.each([['jobs:submit'], ['files:*'], ['psij:*'], ['*'], ['*:read']])(
    '%s is for what is there',
    (right) => {
      expect(() => demandPlugins('n1', plugins, [right])).not.toThrow();
    },
  );

  it('are refused for plugins that the node does not have, with those that it has', () => {
    expect(() => demandPlugins('n1', plugins, ['jobs:read', 'job:submit', 'file:*'])).toThrow(
      'n1 has no plugin for job:submit, file:*; its plugins: jobs, files',
    );
  });

  it('are not looked at for a node that has told nothing yet', () => {
    expect(() => demandPlugins('n1', [], ['job:submit'])).not.toThrow();
  });
});
