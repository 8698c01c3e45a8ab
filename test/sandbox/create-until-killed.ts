/**
 * A worker for tests that kill it: `create-until-killed.ts STATE CACHE REPOSITORY COMMIT NAME COUNT`. Prints `ready` with
 * the launcher's pid; at a line on its input creates COUNT sandboxes at once; then waits.
 */
import { once } from 'node:events';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { bundleRepository } from '../../src/sandbox/repository/bundle.ts';
import { sandboxRequest } from './fixtures.ts';

const [, , stateDirectory = '', cacheDirectory = '', path = '', commit = '', name = '', count = '1'] = process.argv;
const provider = createLocalProvider({ stateDirectory, cacheDirectory });
await provider.checkIsolation();
process.stdout.write(`ready ${provider.launcherPid}\n`);
await once(process.stdin, 'data');
const source = {
  kind: 'bundle',
  id: commit,
  open: async () => (await bundleRepository({ path, commit })).stream,
} as const;
const repository = { path, commit, source };
const created = await Promise.all(
  Array.from({ length: Number(count) }, (_, place) => provider.create(sandboxRequest(`${name}-${place}`, repository))),
);
process.stdout.write(`created ${created.map(({ id }) => id).join(' ')}\n`);
