import { describe, expect, it } from '@jest/globals';
import { type ConfigSchema, loadConfig } from './load-config.js';

/** What the format makes of a text from the environment, or `refused`. */
function read(format: string, text: string): unknown {
  const schema: ConfigSchema<{ value: unknown }> = {
    value: {
      doc: 'A value',
      format,
      default: format.endsWith('-list') ? [] : format === 'positive-int' ? 1 : '',
      env: 'V',
    },
  };
  // A broker URL has no empty default.
  if (format === 'broker-url')
    schema.value = { ...(schema.value as object), default: 'in-process:' } as never;
  try {
    return loadConfig(schema, { argv: [], env: { V: text } }).values.value;
  } catch {
    return 'refused';
  }
}

describe('formats', () => {
  it.each([
    ['name-list', 'A,b-1 , c_2,', ['A', 'b-1', 'c_2']],
    ['name-list', 'with.dot', 'refused'],
    ['name-list', `${'n'.repeat(65)}`, 'refused'],
    ['broker-url', 'in-process:', 'in-process:'],
    ['broker-url', 'amqps://u:p@host:5671/vhost', 'amqps://u:p@host:5671/vhost'],
    ['broker-url', 'http://host', 'refused'],
    ['store-url', 'file:./data/x.db', 'file:./data/x.db'],
    ['store-url', 'postgresql://host/db', 'postgresql://host/db'],
    ['store-url', 'file:', 'refused'],
    ['http-url', 'https://edge.example/prefix', 'https://edge.example/prefix'],
    ['http-url', 'https://edge.example/', 'refused'],
    ['http-url', 'ftp://edge.example', 'refused'],
    ['http-url-list', 'http://a:1, https://b', ['http://a:1', 'https://b']],
    ['http-url-list', 'http://a:1,ftp://b', 'refused'],
    ['positive-int', '12', 12],
    ['positive-int', '0', 'refused'],
    ['positive-int', '9007199254740993', 'refused'],
  ])('%s reads %j as %j', (format, text, expected) => {
    expect(read(format, text)).toEqual(expected);
  });
});
