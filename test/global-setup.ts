import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findTemporalCli } from '../src/temporal/find-cli.ts';
import { testCacheDirectory } from './temporal/fixtures.ts';

/**
 * Brings the workflow bundle up to date, so that no test runs yesterday's workflows, and installs the Temporal CLI
 * where it is missing, so that no test has to wait for it.
 */
export default async function setup(): Promise<void> {
  const build = fileURLToPath(new URL('../scripts/build.ts', import.meta.url));
  const { status } = spawnSync(process.execPath, [build, 'bundle'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('The workflow bundle could not be built.');
  await findTemporalCli({ cacheDirectory: testCacheDirectory(), log: (line) => console.log(line) });
}
