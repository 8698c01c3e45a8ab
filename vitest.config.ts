import { defineConfig } from 'vitest/config';
import { LONG } from './test/sizes.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: LONG ? [] : ['test/**/*.long.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    // Each file has servers, workers and sandboxes of its own, and waits for them as often as it computes.
    maxWorkers: 4,
    // Real servers and processes on shared machines: a test that fails there is run once more, and named as retried.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is waited for comes; on a busy machine later than in the second that is usual.
    expect: { poll: { timeout: 30_000 } },
  },
});
