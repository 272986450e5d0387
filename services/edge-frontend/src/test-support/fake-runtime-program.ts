/** A program that starts, reports and drains like a runtime, and does what files in a folder say. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RuntimeLaunch } from '../adapters/local-processes/runtime-launch.js';

const text = `
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
const is = (name) => existsSync(process.env.GANTRY_TEST_BEHAVIOUR + '/' + name);
if (is('fail')) {
  console.error('there is no broker');
  process.exit(1);
}
const path = process.env.GANTRY_RUNTIME_STATUS_FILE;
const report = (phase, not_ready) => {
  writeFileSync(path + '.new', JSON.stringify({ runtime_id: 'r' + process.pid, phase, not_ready, running: is('busy') ? 1 : 0 }));
  renameSync(path + '.new', path);
};
const secrets = ['BROKER_URL', 'RUNTIME_CREDENTIAL'].map((name) => readFileSync(process.env['GANTRY_' + name + '_FILE'], 'utf8'));
console.log(JSON.stringify({ argv: process.argv.slice(2), env: process.env, secrets }));
process.on('SIGTERM', () => {
  report('draining', 'the runtime is draining');
  setInterval(() => {
    if (!is('busy')) process.exit(0);
  }, 20);
});
setInterval(() => undefined, 1000);
if (!is('hang')) report('taking', null);
`;

export interface FakeProgram {
  readonly folder: string;
  readonly launch: RuntimeLaunch;
  behave(how: 'well' | 'fail' | 'hang' | 'busy'): void;
  remove(): void;
}

export function fakeRuntimeProgram(environment: Readonly<Record<string, string>> = {}): FakeProgram {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-fleet-'));
  const program = join(folder, 'runtime.mjs');
  writeFileSync(program, text);
  return {
    folder,
    launch: {
      program,
      configFile: '',
      environment: { GANTRY_TEST_BEHAVIOUR: folder, ...environment },
      brokerUrl: { value: 'amqp://user:password@127.0.0.1' },
      credential: { value: 'credential-of-runtimes' },
      edgeUrl: () => 'http://127.0.0.1:1339',
      drainSeconds: 905,
    },
    behave: (how) => {
      for (const name of ['fail', 'hang', 'busy']) rmSync(join(folder, name), { force: true });
      if (how !== 'well') writeFileSync(join(folder, how), '');
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
