// The components that the tests start for real. As root they are installed from Debian's packages; otherwise what is
// missing is named and the run ends: no suite is skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';

const pythonPackages = '/usr/lib/python3/dist-packages';

const needed = [
  { name: 'rabbitmq-server', isThere: () => existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server') },
  {
    name: 'postgresql',
    isThere: () =>
      existsSync('/usr/lib/postgresql') &&
      readdirSync('/usr/lib/postgresql').some((version) =>
        existsSync(`/usr/lib/postgresql/${version}/bin/postgres`),
      ),
  },
  { name: 'bubblewrap', isThere: () => existsSync('/usr/bin/bwrap') },
  { name: 'runc', isThere: () => existsSync('/usr/sbin/runc') },
  { name: 'slurm-wlm', isThere: () => existsSync('/usr/sbin/slurmctld') && existsSync('/usr/sbin/slurmd') },
  // Its accounting, and the database that this needs.
  { name: 'slurmdbd', isThere: () => existsSync('/usr/sbin/slurmdbd') },
  {
    name: 'slurm-wlm-mysql-plugin',
    isThere: () =>
      ['x86_64', 'aarch64'].some((machine) =>
        existsSync(`/usr/lib/${machine}-linux-gnu/slurm-wlm/accounting_storage_mysql.so`),
      ),
  },
  { name: 'mariadb-server', isThere: () => existsSync('/usr/sbin/mariadbd') },
  { name: 'munge', isThere: () => existsSync('/usr/sbin/munged') },
  { name: 'python3', isThere: () => existsSync('/usr/bin/python3') },
  { name: 'python3-cloudpickle', isThere: () => existsSync(`${pythonPackages}/cloudpickle`) },
  { name: 'python3-numpy', isThere: () => existsSync(`${pythonPackages}/numpy`) },
  { name: 'python3-protobuf', isThere: () => existsSync(`${pythonPackages}/google/protobuf`) },
];

/** Installs what is missing, or ends the process with the command to run. */
export function ensureDebianPackages() {
  const missing = needed.filter(({ isThere }) => !isThere()).map(({ name }) => name);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    console.error(`The tests start real servers and need: ${missing.join(', ')}`);
    console.error(`Install them with: sudo apt-get install ${missing.join(' ')}`);
    process.exit(1);
  }
  console.error(`Installing Debian packages for the tests: ${missing.join(', ')} …`);
  withoutServiceStart(() => {
    apt(['update', '-qq']);
    apt(['install', '-y', '-qq', '--no-install-recommends', ...missing]);
  });
  const still = needed.filter(({ isThere }) => !isThere()).map(({ name }) => name);
  if (still.length > 0) {
    console.error(`These packages could not be installed: ${still.join(', ')}`);
    process.exit(1);
  }
}

function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status } = spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) console.error(`apt-get ${args[0]} ended with ${status}`);
}

/** Tests start their own servers: the ones of the packages must not run beside them. */
function withoutServiceStart(install) {
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    if (isOurs) rmSync(policy);
  }
}
