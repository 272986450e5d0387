import { loadConfig } from '@gantry/config';
import { describe, expect, it } from '@jest/globals';
import { runtimeSchema, toRuntimeOptions } from './config.js';

describe('the configuration of a runtime', () => {
  it('comes from flags and the environment', () => {
    const { values } = loadConfig(runtimeSchema, {
      argv: ['--flavour', 'Nature,vision', '--slots', '2'],
      env: { GANTRY_BROKER_URL: 'amqp://u:p@h/', GANTRY_EDGE_URLS: 'http://a:1339,http://b:1339' },
    });
    expect(values.edgeUrls).toEqual(['http://a:1339', 'http://b:1339']);
    expect(values.flavours).toEqual(['Nature', 'vision']);
    expect(toRuntimeOptions(values)).toMatchObject({
      slots: 2,
      isolation: 'auto',
      drainMs: 3000,
    });
  });

  it('names every problem', () => {
    const env = { GANTRY_RUNTIME_ISOLATION: 'none', GANTRY_RUNTIME_SLOTS: '-1' };
    expect(() => loadConfig(runtimeSchema, { argv: [], env })).toThrow(
      /isolation[\s\S]*slots|slots[\s\S]*isolation/,
    );
  });

  it('does not print the credential', () => {
    const { redacted } = loadConfig(runtimeSchema, {
      argv: [],
      env: { GANTRY_RUNTIME_CREDENTIAL: 'topsecret' },
    });
    expect(redacted).not.toContain('topsecret');
  });
});
