// The arrows of docs/architecture.md. Checked on the TypeScript sources by scripts/verify.mjs.
const layer = (names) => `^libs/(${names.join('|')})/`;
const outside = (names) => `node_modules/(${names.join('|')})(/|$)`;
const notTest = '\\.(test|contract)\\.ts$';

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'libs-import-only-libs',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^(services|runtime|test|loadtest)/' },
    },
    {
      name: 'contracts-import-nothing-of-ours',
      severity: 'error',
      from: { path: layer(['contracts']) },
      to: { path: '^(libs/(?!contracts/)|services/|runtime/)' },
    },
    {
      name: 'kernel-imports-contracts-only',
      severity: 'error',
      from: { path: layer(['kernel']) },
      to: { path: '^libs/(?!(contracts|kernel)/)' },
    },
    {
      name: 'config-and-telemetry-import-kernel-only',
      severity: 'error',
      from: { path: layer(['config', 'telemetry']) },
      to: { path: layer(['http', 'broker', 'store', 'tokens', 'placement', 'tunnel', 'client']) },
    },
    {
      name: 'middle-libs-do-not-import-each-other',
      severity: 'error',
      from: { path: '^libs/(http|broker|store|tokens|placement|tunnel)/' },
      to: { path: '^libs/(http|broker|store|tokens|placement|tunnel|client)/', pathNot: '^libs/$1/' },
    },
    {
      name: 'client-imports-contracts-only',
      severity: 'error',
      from: { path: layer(['client']) },
      to: { path: '^libs/(?!(contracts|client)/)' },
    },
    {
      name: 'no-service-to-service',
      severity: 'error',
      from: { path: '^(services|runtime)/([^/]+)/', pathNot: '^services/cli/' },
      to: { path: '^(services|runtime)/', pathNot: '^$1/$2/' },
    },
    { name: 'nobody-imports-main', severity: 'error', from: {}, to: { path: '/src/main\\.ts$' } },
    {
      name: 'routes-do-not-know-adapters',
      severity: 'error',
      from: { path: '/src/routes/' },
      to: { path: '/adapters/' },
    },
    {
      name: 'usecases-know-ports-only',
      severity: 'error',
      from: { path: '/src/usecases/', pathNot: notTest },
      to: { path: '/(adapters|routes)/|/src/(app|main)\\.ts$' },
    },
    {
      name: 'outside-world-in-adapters-only',
      severity: 'error',
      from: { pathNot: `/adapters/|^loadtest/|${notTest}` },
      to: { path: outside(['amqplib', 'pg', 'libsql', '@biscuit-auth/biscuit-wasm', '@node-rs/argon2']) },
    },
    { name: 'not-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@gantry/source', 'import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
  },
};
