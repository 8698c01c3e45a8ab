/**
 * Runs the end-to-end tests with their sandboxes at Daytona: `npm run test:daytona`, or some of them with
 * `npm run test:daytona -- test/e2e/loop.test.ts`. They start the real Daytona daemon behind a small control plane, so
 * that no account is needed; where that is not at hand they say so.
 */
import { spawnSync } from 'node:child_process';

const ALL = ['loop', 'control', 'deadline', 'faults', 'kills', 'rebuild', 'analyze', 'monte-cristo'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

const asked = process.argv.slice(2);
const { status } = spawnSync('vitest', ['run', ...(asked.length === 0 ? ALL : asked)], {
  stdio: 'inherit',
  env: { ...process.env, DURABLE_RLM_E2E_SANDBOXES: 'daytona' },
});
process.exitCode = status ?? 1;
