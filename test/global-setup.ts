import { findTemporalCli } from '../src/temporal/find-cli.ts';
import { testCacheDirectory } from './temporal/fixtures.ts';

/** Installs the Temporal CLI where it is missing, so that no test has to wait for it. */
export default async function setup(): Promise<void> {
  await findTemporalCli({ cacheDirectory: testCacheDirectory(), log: (line) => console.log(line) });
}
