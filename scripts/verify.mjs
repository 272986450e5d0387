// `npm run verify`: everything that is checked without running the product.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root, run } from './checkout.mjs';

const bin = (name) => join(root, 'node_modules', '.bin', name);

/** Format and lint, types, dependency direction, dead code. Ends the process at the first that fails. */
export function verify() {
  ensureInstalled();
  step('lint and format', () => run(bin('biome'), ['ci', '--error-on-warnings', '.']));
  step('types and build', ensureBuilt);
  step('dependency direction', checkDependencies);
  step('dead code', () => run(bin('knip'), ['--no-progress']));
}

function step(name, work) {
  console.log(`\n== ${name}`);
  work();
}

/** The cruiser passes vacuously when it cannot read TypeScript: it must have seen our modules. */
function checkDependencies() {
  const args = ['--config', 'dependency-cruiser.cjs', '--output-type', 'json', 'libs', 'services', 'runtime'];
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 };
  const { stdout, stderr, status } = spawnSync(bin('depcruise'), args, options);
  let summary;
  try {
    ({ summary } = JSON.parse(stdout));
  } catch {
    console.error(stderr || stdout.slice(0, 2000));
    process.exit(status || 1);
  }
  for (const { rule, from, to } of summary.violations) console.error(`${rule.name}: ${from} → ${to}`);
  console.log(`${summary.totalCruised} modules, ${summary.totalDependenciesCruised} dependencies`);
  if (summary.violations.length > 0) process.exit(1);
  if (summary.totalCruised < 100) {
    console.error('The dependency check saw fewer than 100 modules: it is not looking at the sources.');
    process.exit(1);
  }
}

if (process.argv[1] === join(root, 'scripts', 'verify.mjs')) verify();
