import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findTemporalCli } from '../src/temporal/find-cli.ts';
import { LONG } from './sizes.ts';
import { findS3Gateway } from './storage/s3-server.ts';
import { testCacheDirectory } from './temporal/fixtures.ts';

/**
 * Brings the workflow bundle and the viewer's page up to date, so that no test runs yesterday's, and installs the Temporal CLI,
 * for long series an S3 gateway too, where they are missing, so that no test has to wait for them.
 */
export default async function setup(): Promise<void> {
  const build = fileURLToPath(new URL('../scripts/build.ts', import.meta.url));
  const { status } = spawnSync(process.execPath, [build, 'bundle', 'page'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('The workflow bundle or the page of the viewer could not be built.');
  const log = (line: string): void => console.log(line);
  await findTemporalCli({ cacheDirectory: testCacheDirectory(), log });
  if (LONG) await findS3Gateway(log);
}
