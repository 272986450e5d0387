const common = { testEnvironment: 'node', transform: {}, restoreMocks: true };

export default {
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
