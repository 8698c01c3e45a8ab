import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    // Most tests wait for processes of their own: as many files at once as there are cores, not one less.
    maxWorkers: '100%',
    // Real servers and processes on shared machines: a test that fails there is run once more, and named as retried.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
