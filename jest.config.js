const common = {
  testEnvironment: 'node',
  transform: {},
  restoreMocks: true,
  globalSetup: '<rootDir>/scripts/tests-begin.mjs',
  globalTeardown: '<rootDir>/scripts/tests-end.mjs',
};

export default {
  // Platforms and servers are started for real, two suites at a time.
  testTimeout: 120_000,
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: ['<rootDir>/{libs,services,runtime}/*/dist/**/*.test.js'],
    },
    { ...common, displayName: 'integration', testMatch: ['<rootDir>/test/dist/**/*.test.js'] },
  ],
  coverageProvider: 'v8',
  collectCoverageFrom: ['{libs,services,runtime}/*/dist/**/*.js', '!**/*.test.js'],
};
