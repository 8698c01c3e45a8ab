import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    // Most tests wait for processes of their own, so more files at once than there are cores.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    // Real servers and processes on shared machines: a test that fails there is run once more, and named as retried.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
