/** Mistakes at the command line, which need no platform. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, jest } from '@jest/globals';
import { runGantry } from '../support/command-line.js';

// Each case starts processes, and the machine may be busy.
jest.setTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), 'gantry-cli-'));
const passwordFile = join(folder, 'password');
writeFileSync(passwordFile, 'never used');
const fileOf = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe('wrong use', () => {
  it.each([
    ['an unknown command', ['frobnicate'], /unknown command 'frobnicate'/],
    ['an unknown command of a group', ['functions', 'bake'], /unknown command 'bake'/],
    ['a group without a command', ['functions'], /name a command/],
    ['no command at all', [], /name a command/],
    ['a missing argument', ['functions', 'push'], /missing required argument 'file'/],
    ['an unknown option', ['functions', 'ls', '--frob'], /unknown option '--frob'/],
    ['an option without its value', ['functions', 'ls', '--user'], /argument missing/],
    ['a word that is no number', ['functions', 'rm', 'seven'], /must be a number, not "seven"/],
    ['a word too many', ['keys', 'ls', 'extra'], /too many arguments/],
    ['a shape that there is not', ['config', 'print', '--shape', 'round'], /there is no shape "round"/],
    ['a setting that there is not', ['up', '--frob', '1'], /frob/],
    ['a file that is none of ours', ['functions', 'push', 'README.md'], /only \.js, \.mjs and \.py files/],
    ['a file that is not there', ['functions', 'push', 'nowhere.py'], /nowhere\.py/],
    [
      '--function with a module',
      ['functions', 'push', fileOf('one.mjs', 'export default () => 1;'), '--function', 'f'],
      /--function is for Python files/,
    ],
    ['a list of nothing', ['executions', 'ls', '--limit', '0'], /--limit must be a whole number from 1 up/],
    [
      'a runtime that there is not',
      ['--data-dir', folder, 'runtime', 'stop', 'Nope.7'],
      /there is no runtime "Nope\.7" of "Nope" here: none runs as a process/,
    ],
    [
      'a password file that is not there',
      ['--cloud-url', 'http://127.0.0.1:9', '--password-file', join(folder, 'no-file'), 'keys', 'ls'],
      /password file cannot be read.*no-file.*--password-file/,
    ],
  ])(
    '%s ends with code 2 and says what is wrong, as one JSON document with --json',
    async (_what, args, message) => {
      const given = ['--password-file', passwordFile, ...args];
      const words = args[0] === 'up' || args.length === 0 ? args : given;
      const text = await runGantry(words);
      expect([text.code, text.stdout]).toEqual([2, '']);
      expect(text.output).toMatch(message);
      // First, where no option before it can take it for its value; "up" hands all that follows to the configuration.
      const json = await runGantry(args[0] === 'up' ? [...words, '--json'] : ['--json', ...words]);
      expect(json.code).toBe(2);
      const { error } = JSON.parse(json.stdout) as { error: { code: string; detail: string } };
      expect(error.detail).toMatch(message);
      expect(error.code).toMatch(/^(usage|error)$/);
    },
  );

  it('of Python files names the functions and the way out', async () => {
    const several = fileOf('two.py', 'def a():\n    return 1\n\ndef b():\n    return 2\n');
    const json = await runGantry(['--json', '--password-file', passwordFile, 'functions', 'push', several]);
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({
      error: {
        code: 'invalid-function',
        detail: expect.stringMatching(/two\.py has several functions.*: a, b\. Keep one.*--function NAME/),
      },
    });
  });

  it('of a CommonJS module, or one that is cut off, says what is wrong', async () => {
    const push = async (name: string, content: string) => {
      const words = ['functions', 'push', fileOf(name, content), '--cloud-url', 'http://127.0.0.1:9'];
      const json = await runGantry(['--json', '--password-file', passwordFile, ...words]);
      return { exit: json.code, ...(JSON.parse(json.stdout) as { error: object }) };
    };
    for (const text of ['// no export\nmodule.exports = (a) => a;\n', 'exports.handler = () => 1;\n'])
      expect(await push('common.js', text)).toMatchObject({
        exit: 2,
        error: {
          code: 'invalid-function',
          detail: expect.stringMatching(/common\.js is a CommonJS module.*write "export default/),
        },
      });
    const wrong = {
      'cut.mjs': ['export default (a => ', /cut\.mjs: line 1: SyntaxError/],
      'named.mjs': ['export const f = 1;', /named\.mjs: it has no default export/],
      'cut.py': ['def f(:\n    return 1\n', /cut\.py/],
    } as const;
    for (const [name, [text, detail]] of Object.entries(wrong))
      expect(await push(name, text)).toMatchObject({
        exit: 2,
        error: { code: 'invalid-function', detail: expect.stringMatching(detail) },
      });
    // A bundle may have both; nobody listens where it would be sent.
    const both = 'var m = { exports: {} }; module.exports = 1; export default () => m;\n';
    expect(await push('bundle.js', both)).toMatchObject({ exit: 4, error: { code: 'unreachable' } });
  });

  it('the platform of a data folder that does not run is not looked for elsewhere', async () => {
    const text = await runGantry(['functions', 'ls', '--data-dir', folder]);
    expect(text.code).toBe(4);
    expect(text.output).toContain(`the platform of ${folder} is not running; start it with`);
  });

  it('no runtimes as processes: the list says where the others are', async () => {
    for (const words of [
      ['runtime', 'ls'],
      ['runtime', 'stop', 'Nature'],
    ]) {
      const text = await runGantry([...words, '--data-dir', folder]);
      expect(text.code).toBe(0);
      expect(text.stdout).toMatch(/"gantry flavours ls".*"gantry runtime scale FLAVOUR NUMBER"/);
    }
  });

  it('the version is printed', async () => {
    expect(await runGantry(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  it('help is no mistake', async () => {
    for (const words of [['--help'], ['functions', '--help'], ['functions', 'push', '--help']])
      expect(await runGantry(words)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('Usage: gantry'),
      });
  });
});
