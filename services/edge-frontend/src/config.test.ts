import { ConfigError, loadConfig } from '@gantry/config';
import { describe, expect, it } from '@jest/globals';
import { edgeFrontendSchema, isLoopbackHost } from './config.js';

describe('the settings of an edge frontend', () => {
  it('serve a single machine unless told otherwise', () => {
    const { values } = loadConfig(edgeFrontendSchema, { argv: [], env: {} });
    expect(values.edge).toMatchObject({
      host: '127.0.0.1',
      port: 1339,
      flavours: ['Nature'],
      retentionDays: 7,
    });
    expect(values.edge.concurrentCallsPerUser).toBeGreaterThanOrEqual(50);
    expect(values.edge.asyncCallsPerSecondPerUser).toBeGreaterThanOrEqual(100);
    expect(values.broker.url).toBe('in-process:');
  });

  it('come from the environment and from flags', () => {
    const env = { GANTRY_EDGE_PORT: '0', GANTRY_FLAVOURS: 'A, B', GANTRY_CLUSTER_NAME: 'north' };
    const { values } = loadConfig(edgeFrontendSchema, { argv: ['--cluster-name', 'south'], env });
    expect(values.edge).toMatchObject({ port: 0, flavours: ['A', 'B'], name: 'south' });
  });

  it('are refused all at once', () => {
    const env = { GANTRY_FLAVOURS: 'a.b', GANTRY_CLOUD_URL: 'ftp://x', GANTRY_MAX_RUN_SECONDS: '0' };
    const load = () => loadConfig(edgeFrontendSchema, { argv: [], env });
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(/flavours[\s\S]*cloudUrl[\s\S]*maxRunSeconds|maxRunSeconds[\s\S]*/);
  });

  it.each([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.1', false],
    ['127.0.0.1.example.org', false],
  ])('know whether %s is this machine only: %s', (host, isLoopback) => {
    expect(isLoopbackHost(host)).toBe(isLoopback);
  });
});
