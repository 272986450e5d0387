// `npm test`: set-up, checks, and every test. Words after `--` go to jest and leave the checks out:
// `npm test -- --testPathPatterns broker`, `npm test -- --coverage`.
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root, run } from './checkout.mjs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { verify } from './verify.mjs';

const extra = process.argv.slice(2);
ensureInstalled();
ensureDebianPackages();
if (extra.length === 0) verify();
else ensureBuilt();
console.log('\n== tests');
const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
run(process.execPath, [...node, jest, '--maxWorkers=2', ...extra]);
